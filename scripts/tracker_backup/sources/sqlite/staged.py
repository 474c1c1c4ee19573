"""A copy in staging: what lies beside it, and how it is brought into one file."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from tracker_backup.errors import SourceError
from tracker_backup.sources.sqlite.opening import primary_code

if TYPE_CHECKING:
    from pathlib import Path


def sidecar(path: Path, suffix: str) -> Path:
    """Return the path of a database's -wal, -shm or -journal."""
    return path.with_name(path.name + suffix)


def no_room(target: Path) -> SourceError:
    """Return the error for a copy whose disk is full."""
    return SourceError(f"no room left for {target}", hint="make room there, or name another disk with `staging`")


def fold(target: Path, frames: int | None = None) -> None:
    """Bring a copy of ours into one file: its -wal or its hot journal is applied by SQLite, and gone afterwards.

    `frames` is how many frames of a -wal must be valid, where that is known: a checksum that does not agree ends a
    -wal without a word.

    Raises SourceError when SQLite cannot, finds another number, or leaves something beside it.
    """
    log = sidecar(target, "-wal")
    if log.exists() and log.stat().st_size == 0:
        log.unlink()  # SQLite takes an empty one for none, and leaves it where it is
    try:
        with closing(sqlite3.connect(target, isolation_level=None)) as copy:
            # The checkpoint parses the schema, which may be too new for us; so it is told to make nothing of that.
            copy.execute("PRAGMA writable_schema=ON")
            copy.execute("PRAGMA schema_version").fetchone()
            _, found, _ = copy.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if frames is not None and found != frames:
                raise SourceError(
                    f"the -wal of {target.name} holds {found} valid frames, and {frames} were committed",
                    hint="run the backup again; has somebody written into it past SQLite, or is a disk failing?",
                )
            copy.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        if primary_code(error) == sqlite3.SQLITE_FULL:
            raise no_room(target) from error
        raise SourceError(f"the copy of {target.name} cannot be recovered (SQLite: {error})") from error
    left = [target.name + suffix for suffix in ("-wal", "-journal") if sidecar(target, suffix).exists()]
    if left:
        raise SourceError(f"SQLite left {', '.join(left)} beside the copy")
    sidecar(target, "-shm").unlink(missing_ok=True)
    descriptor = os.open(target, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
