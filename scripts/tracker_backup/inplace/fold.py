"""Bring the database that is replaced into one file, where that loses nothing."""

from __future__ import annotations

import sys
from pathlib import Path

from tracker_backup.sources.sqlite.superjournal import super_journal_of
from tracker_backup.system.stream import Child

_CHILD = Path(__file__).with_name("fold_child.py")


def fold(live: Path) -> str | None:
    """Have SQLite apply what lies beside a stopped database; return why it did not, None where it is one file now.

    What belongs to a transaction over several databases is not touched: its super-journal may lie where only the
    tracker sees it, and SQLite would take that for a commit and throw the journal away.
    """
    journal = live.with_name(f"{live.name}-journal")
    try:
        named = super_journal_of(journal)
    except OSError as error:
        return f"{journal}: {error.strerror}"
    if named is not None:
        return f"a transaction over several databases was cut off, and {named.path} decides what becomes of it"
    with Child([sys.executable, "-I", str(_CHILD), str(live)]) as child:
        child.stdout.read()
        return None if child.finish() == 0 else child.last_words()
