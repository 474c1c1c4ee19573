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

HEAD = """\
<!-- tools/cli_docs.py writes this from what the program's --help prints: `make docs`. -->

# Command line

From a checkout, `python3 scripts/tracker_backup` stands for `tracker-backup`.
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


def subcommands(text: str) -> list[str]:
    """Return the commands that a help text offers: argparse lists them in braces below a heading."""
    offered = re.search(r"^  \{([a-z,-]+)\}", text, flags=re.MULTILINE) or re.search(
        r"^  ([A-Z]+)$\n(?:    [a-z-]+ )", text, flags=re.MULTILINE
    )
    return offered.group(1).split(",") if offered else []


def sections(command: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield a section for a command and one for each command below it."""
    text = help_of(command)
    yield f"\n## {' '.join(('tracker-backup', *command))}\n\n```text\n{text}\n```\n"
    for name in subcommands(text):
        yield from sections((*command, name))


if __name__ == "__main__":
    sys.exit(publish(str(__doc__), TARGET, HEAD + "".join(sections())))
