"""Databases that can be told from one another, and what a restore in place leaves of them."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from support.program import Installation
from support.tracker_standin import check_invariant


def back_up_and_go_on(installation: Installation) -> None:
    """Make a backup of "old"; live is "new" then."""
    mark(installation.database, "old")
    installation.back_up()
    mark(installation.database, "new")


def mark(database: Path, name: str) -> None:
    """Give a database a name of its own, by which it can be told from others afterwards."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DROP TABLE IF EXISTS mark")
        connection.execute("CREATE TABLE mark (name TEXT)")
        connection.execute("INSERT INTO mark VALUES (?)", (name,))


def two_backups(installation: Installation) -> tuple[str, str]:
    """Make a backup of each of two databases; the second is the live one."""
    ids = []
    for name in ("one", "two"):
        mark(installation.database, name)
        ids.append(installation.back_up()["id"])
    return ids[0], ids[1]


def marked(database: Path) -> str:
    """Return the name of a database."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return str(connection.execute("SELECT name FROM mark").fetchone()[0])


def kept(installation: Installation) -> list[Path]:
    """Return the databases that restores have replaced, oldest first."""
    found = list(installation.data.glob("pre-restore-*/tracker.db"))
    return sorted(found, key=lambda path: path.parent.stat().st_ctime_ns)


def left_over(installation: Installation) -> list[str]:
    """Return what no restore may leave behind: its note, and what it has unpacked."""
    state = installation.directory / "state"
    beside = [path for path in installation.data.rglob(".*") if ".restoring-" in path.name]
    return sorted(str(path) for path in (*state.glob("restoring.json"), *beside))


def expect_whole(database: Path) -> str:
    """Check that a database is whole, and return its name."""
    result = check_invariant(database, integrity=True)
    assert result["ok"], result
    return marked(database)


def dress(path: Path) -> tuple[int, int, int]:
    """Return owner, group and mode."""
    status = path.stat()
    return status.st_uid, status.st_gid, status.st_mode & 0o7777


OWNER = (1000, 1000, 0o640) if os.geteuid() == 0 else (os.geteuid(), os.getegid(), 0o640)
"""Of the database in these tests."""
