"""Switch a database to WAL mode while it is used, where the configuration asks for it.

Connections that are open follow at their next statement; one in the middle of a transaction keeps the switch from
happening (https://www.sqlite.org/wal.html#activating_and_configuring_wal_mode).
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote

from tracker_backup.sources.sqlite.opening import primary_code
from tracker_backup.sources.sqlite.recovery import needs_recovery
from tracker_backup.system.filesystem import mount_of

if TYPE_CHECKING:
    from tracker_backup.sources.sqlite.opening import DatabaseFile

_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse.sshfs", "fuse.glusterfs")


def switch_to_wal(database: DatabaseFile, timeout_seconds: float) -> str | None:
    """Switch, waiting at most `timeout_seconds` for transactions under way; return why it failed, None if it did not.

    The database is opened for writing but never created. A failure leaves it as it was.
    """
    problem = reason_against(database)
    if problem is not None:
        return problem
    uri = f"file:{quote(os.fsencode(database.path))}?mode=rw"
    try:
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            mode = _ask_until(connection, time.monotonic() + timeout_seconds)
    except sqlite3.Error as error:
        return str(error)
    return None if mode == "wal" else f"SQLite keeps journal_mode {mode}"


def _ask_until(connection: sqlite3.Connection, give_up: float) -> str:
    """Switch and return the mode that SQLite says it has then.

    SQLite waits for readers to end, but gives up at once where a writer waits for us as well; so it is asked again.

    Raises sqlite3.Error when it cannot, or the time is over.
    """
    while True:
        left = max(0.0, give_up - time.monotonic())
        try:
            connection.execute(f"PRAGMA busy_timeout={int(left * 1000)}")
            return str(connection.execute("PRAGMA journal_mode=WAL").fetchone()[0])
        except sqlite3.Error as error:
            if primary_code(error) != sqlite3.SQLITE_BUSY or not left:
                raise
            time.sleep(min(left, 0.005))


def reason_against(database: DatabaseFile) -> str | None:
    """Return why the switch must not be tried: it would change what is not ours to change, or lock somebody out."""
    status = database.path.stat()
    if status.st_nlink > 1:
        return "the file has more than one name, and each would have a -wal of its own"
    if os.geteuid() not in (0, status.st_uid):
        return "it belongs to another user, who could not open our -wal: run the same command with sudo"
    if mount_of(database.path).type in _NETWORK:
        return "it is on a network file system, where WAL mode does not work"
    if needs_recovery(database) is not None:
        return "it must be recovered first, which happens when the tracker starts"  # to open it for writing would do it
    return None
