# What a developer types. Recipes are short; what they do stands in tools/, demo/ and molecule/.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

# Ansible refuses a locale that is not UTF-8; caches stay in the checkout; the pinned tools come first.
export LC_ALL := C.UTF-8
export ANSIBLE_HOME := $(CURDIR)/.cache/ansible
export PATH := $(CURDIR)/.venv/bin:$(PATH)
unexport PYTHONPATH VIRTUAL_ENV

# What `make bench NAME=VALUE` passes on; bench/settings.py says what each is.
BENCH_WORDS := SIZE ORDER MODE RATE RUNS ONLY FULL ROWS APART LIMIT SETTLE AFTER STARTUP ROLE BENCH_DIR REPORT INSTALL LIST REDO

.PHONY: help
help: ## This list
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | while IFS='	' read -r name text; do printf '  %-10s %s\n' "$$name" "$$text"; done

.PHONY: demo
demo: dev ## A backup of a live tracker database and its restore, below .demo: no root, no Docker; 2 minutes
	@tools/system.sh tools/packages-demo.txt
	@.venv/bin/python demo/run.py

.PHONY: check
check: dev ## Linters, types, generated documents, quick tests; changes nothing; a minute
	@.venv/bin/python tools/stages.py check

.PHONY: test
test: system dev ## All of check, integration tests, the core Molecule scenarios; up to 25 minutes
	@.venv/bin/python tools/stages.py test

.PHONY: test-all
test-all: system dev ## Everything, with slow tests and all Molecule scenarios; up to 70 minutes
	@.venv/bin/python tools/stages.py test-all

.PHONY: faults
faults: system dev ## Every promise of docs/guarantees.md attacked in earnest, and the table there written anew; 45 minutes
	@.venv/bin/python tools/guarantees.py --run

.PHONY: faults-again
faults-again: system dev ## What failed in make faults once more, after it has been mended; the table holds both
	@.venv/bin/python tools/guarantees.py --again

.PHONY: bench
bench: dev ## Ways to back up a live database, measured side by side; `make bench LIST=1` says what and how long
	@PYTHONPATH=.:tests:scripts .venv/bin/python -m bench $(foreach name,$(BENCH_WORDS),$(if $(filter-out undefined,$(origin $(name))),'$(name)=$($(name))'))

.PHONY: soak
soak: dev ## A thousand backups in a row under writes, each restored and checked; an hour at most
	@PYTHONPATH=tests:scripts:tools .venv/bin/python -m support.soak --write

.PHONY: docs
docs: dev ## Write the generated documents anew
	@.venv/bin/python tools/config_docs.py
	@.venv/bin/python tools/cli_docs.py
	@.venv/bin/python tools/role_readme.py
	@.venv/bin/python tools/guarantees.py

.PHONY: dev
dev: ## The virtual environment .venv with everything pinned (PYTHON=... chooses the interpreter)
	@tools/dev.sh

.PHONY: system
system: ## The Debian packages that the tests need (as root; otherwise prints the command)
	@tools/system.sh tools/packages-demo.txt tools/packages-test.txt molecule/system-packages.txt

.PHONY: clean
clean: ## Remove .venv, .demo and all caches
	@rm -rf .venv .demo .cache
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
