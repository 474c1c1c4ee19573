"""Write docs/cli.md from what `tracker-backup --help` prints, for the program and for each of its commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

from generated import ROOT, publish

TARGET = ROOT / "docs/cli.md"
PROGRAM = ROOT / "scripts/tracker_backup"
WIDTH = 100

# The same for every command: shown once, with the program.
SHARED_OPTIONS = re.compile(r"\n\noptions of every command:\n(?:  .*(?:\n|$))+")

HEAD = """\
<!-- tools/cli_docs.py writes this from what the program's --help prints: `make docs`. -->

# Command line

From a checkout, `python3 scripts/tracker_backup` stands for `tracker-backup`. The options of every
command may stand before or after the command's name.
"""


def help_of(command: tuple[str, ...]) -> str:
    """Return what a command's `--help` prints on a terminal of a fixed width."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "COLUMNS": str(WIDTH), "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-I", str(PROGRAM), *command, "--help"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} --help failed:\n{done.stderr}")
    return done.stdout.rstrip()


def names_of_commands(text: str) -> list[str]:
    """Return the commands that the program's help text lists."""
    listed = re.search(r"^commands:\n  COMMAND\n((?:    .*\n)+)", text, flags=re.MULTILINE)
    if not listed:
        sys.exit("the program's --help has no list of commands")
    return re.findall(r"^    ([a-z-]+)", listed.group(1), flags=re.MULTILINE)


def sections() -> Iterator[str]:
    """Yield a section for the program and one for each of its commands."""
    program = help_of(())
    yield section("tracker-backup", program)
    for name in names_of_commands(program):
        yield section(f"tracker-backup {name}", SHARED_OPTIONS.sub("", help_of((name,))))


def section(title: str, text: str) -> str:
    """Return a section of the document."""
    return f"\n## {title}\n\n```text\n{text}\n```\n"


if __name__ == "__main__":
    sys.exit(publish(str(__doc__), TARGET, HEAD + "".join(sections())))
