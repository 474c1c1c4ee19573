"""A transaction over two databases whose writer dies in its commit, and what there is of it afterwards."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

_WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("ATTACH ? AS other", (sys.argv[2],))
for statement in sys.argv[3:]:
    connection.execute(statement)
connection.execute("BEGIN")
connection.execute("UPDATE torrents SET completed = completed + 1")
connection.execute("UPDATE torrent_aggregate_metrics SET value = value + (SELECT count(*) FROM torrents)")
connection.execute("UPDATE other.peers SET seen = 1")
connection.execute("COMMIT")
"""


def die_while_writing(tracker: Path, *more: str, which: str = "tracker.db") -> Path:
    """Let the writer die before it writes the third page of one of the two; return the super-journal.

    SQLite ends the journal of one and writes its pages before it begins with the next: at those of `tracker` its own
    journal is hot alone, at those of `other.db` both are, and all of `tracker` is written.
    """
    _die(tracker, ("-P", str(tracker.with_name(which)), "-e", "inject=pwrite64:signal=KILL:when=3"), "pwrite64", more)
    assert _is_hot(tracker)
    assert _is_hot(tracker.with_name("other.db")) is (which == "other.db")
    [named] = super_journals(tracker.parent)
    return named


def die_once_committed(tracker: Path) -> None:
    """Let the writer die between the deletion of the super-journal, which is the commit, and that of the journals."""
    _die(tracker, ("-e", "inject=unlink:signal=KILL:when=2"), "unlink", ())
    assert _is_hot(tracker)
    assert super_journals(tracker.parent) == []


def super_journals(directory: Path) -> list[Path]:
    """Return the super-journals that lie in a directory."""
    return sorted(directory.glob("*-mj*"))


def recover(database: Path) -> None:
    """Open a database for writing, as its tracker does when it starts."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def seen_by_sqlite(database: Path) -> int:
    """Open a database as its tracker does, recover it by that, and return how many torrents were completed."""
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT sum(completed) FROM torrents").fetchone()[0])


def _is_hot(database: Path) -> bool:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            connection.execute("PRAGMA schema_version").fetchone()
        except sqlite3.OperationalError as error:
            return error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK
    return False


def _die(tracker: Path, how: tuple[str, ...], call: str, more: tuple[str, ...]) -> None:
    other = tracker.with_name("other.db")
    with closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("CREATE TABLE peers (id INTEGER PRIMARY KEY, seen INTEGER, padding)")
        connection.executemany("INSERT INTO peers VALUES (?, 0, ?)", ((number, "x" * 400) for number in range(200)))
    status = tracker.stat()
    os.chown(other, status.st_uid, status.st_gid)
    writer = [sys.executable, "-I", "-c", _WRITER, str(tracker), str(other), "PRAGMA cache_size=20000", *more]
    done = subprocess.run(["strace", "-e", f"trace={call}", *how, *writer], capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    assert all(path.with_name(f"{path.name}-journal").exists() for path in (tracker, other))
