"""What the documents tell to type exists: make targets, playbooks, scripts, the program's own commands."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

import pytest

from support.documents import ROOT, commands, documents

# docs/decisions tells what was true on its day, and the generated page is the measure itself.
READ = [path for path in documents() if "decisions" not in path.parts and path.name not in {"cli.md", "CHANGELOG.md"}]
# What lies beside somebody's inventory is his.
FILE = re.compile(
    r"^(?!group_vars/)(?:\./)?((?:tools|molecule|demo|scripts|playbooks|tests|\.ci)/[\w./-]+|site\.yml|[\w/]+\.yml)$"
)


@cache
def make_targets() -> set[str]:
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))


@cache
def help_pages() -> dict[str, str]:
    """Return the help text of every command, by its words; the program's own by the empty string."""
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    pages = re.findall(r"^## tracker-backup ?([^\n]*)\n\n```text\n(.*?)```", text, flags=re.MULTILINE | re.DOTALL)
    return dict(pages)


def unknown_parts(line: str) -> list[str]:
    """Return the commands, choices and options in a `tracker-backup` line that the program does not have."""
    words = shlex.split(re.split(r" [|>&;] ?", line, maxsplit=1)[0], comments=True)[1:]
    options = [word.split("=")[0] for word in words if re.fullmatch(r"-{1,2}[a-z][\w=/.-]*", word)]
    # What follows a long option may be its value.
    plain = [word for at, word in enumerate(words) if word[0] != "-" and not (at and words[at - 1].startswith("--"))]
    name, *rest = [*plain, "", ""] if plain else ["", ""]
    if name and name not in help_pages():
        return [name] if re.fullmatch(r"[a-z][a-z-]*", name) else []
    known = help_pages()[""] + help_pages()[name]
    choices = re.search(r"^  \{([a-z,]+)\}", help_pages()[name], flags=re.MULTILINE) if name else None
    strangers = [rest[0]] if choices and rest[0] and rest[0] not in choices.group(1).split(",") else []
    return strangers + [word for word in options if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", known)]


def missing(line: str, document: Path) -> list[str]:
    """Return what a command line names and the project does not have, neither at its top nor beside the document."""
    words = line.split(" #", maxsplit=1)[0].split() or [""]
    if words[0] == "make":
        return [word for word in words[1:] if re.fullmatch(r"[a-z-]+", word) and word not in make_targets()]
    if words[0] == "tracker-backup":
        return unknown_parts(line)
    if words[0] in {"ansible-playbook", "bash", "sh", "pytest", "python3", "python"} or FILE.match(words[0]):
        files = [word.split("::")[0] for word in words if FILE.match(word)]
        return [file for file in files if not (ROOT / file).exists() and not (document.parent / file).exists()]
    return []


@pytest.mark.parametrize("document", READ, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_to_be_typed_exists(document: Path) -> None:
    assert [(line, lacks) for line in commands(document) if (lacks := missing(line, document))] == []


def test_the_measure_is_there() -> None:
    """The tests above would pass on anything if the pages could not be read."""
    assert {"demo", "test", "check"} <= make_targets()
    assert {"", "list", "restore", "config", "schedule"} <= set(help_pages())
    assert unknown_parts("tracker-backup --instance default schedule apply --dry-run # all is well") == []
    assert unknown_parts("tracker-backup list --no-such-option") == ["--no-such-option"]
    assert unknown_parts("tracker-backup no-such-command") == ["no-such-command"]
    assert unknown_parts("tracker-backup schedule no-such-choice") == ["no-such-choice"]
