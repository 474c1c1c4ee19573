"""What the cron daemon said about our file in /etc/cron.d: it refuses a file in the system's journal only."""

from __future__ import annotations

import re
from pathlib import Path

from tracker_backup.system.process import find_program, run

_TIMEOUT_SECONDS = 20
_REFUSED = re.compile(r"ERROR|Error:|WRONG|NOT A REGULAR FILE|HARD LINKS|INSECURE|CAN'T")


def refusals(file: Path) -> tuple[str, ...]:
    """Return what cron has complained about since the file was written; nothing where there is no journal.

    Raises CommandError when the journal cannot be read in time.
    """
    if find_program("journalctl") is None or not file.exists():
        return ()
    since = f"--since=@{int(file.stat().st_mtime)}"
    command = ["journalctl", "--quiet", "--no-pager", "--output=cat", "--identifier=cron", since]
    return last_words(run(command, timeout_seconds=_TIMEOUT_SECONDS, check=False).stdout, file)


def last_words(journal: str, file: Path) -> tuple[str, ...]:
    """Return the complaints about a file since cron last loaded it, which it says before it complains."""
    ours = re.compile(rf"\*system\*{re.escape(file.name)}\)|{re.escape(str(file))}(?![\w.~-])")
    said: list[str] = []
    for line in filter(ours.search, journal.splitlines()):
        if " RELOAD " in line:
            said.clear()
        elif _REFUSED.search(line):
            said.append(line.strip())
    return tuple(dict.fromkeys(said))
