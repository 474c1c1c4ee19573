"""Databases that cannot be opened without being written to: copied with what lies beside them, recovered in staging.

A hot journal is what a crash in the middle of a transaction leaves: whoever opens the database for writing rolls it
back (https://www.sqlite.org/lockingv3.html, 4.1). In WAL mode on a read-only mount a -shm is needed that cannot be made
there. Either way the files are copied together, seen to be unchanged meanwhile, and opened in staging.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tracker_backup.errors import DeadlineError, SourceError
from tracker_backup.sources.sqlite.copy import PinnedCopy
from tracker_backup.sources.sqlite.opening import open_source, primary_code
from tracker_backup.sources.sqlite.staged import fold, no_room, sidecar
from tracker_backup.sources.sqlite.superjournal import settle
from tracker_backup.sources.sqlite.walindex import is_ours_to_write, open_index
from tracker_backup.system.files import CHUNK_BYTES, create_private, flush_and_drop, opened_for_reading, write_all

if TYPE_CHECKING:
    from pathlib import Path

    from tracker_backup.sources.interface import CopyContext
    from tracker_backup.sources.sqlite.opening import DatabaseFile

HOT_JOURNAL, READ_ONLY = "hot journal", "read-only mount"
_SIDECARS = ("-wal", "-journal")


def needs_recovery(database: DatabaseFile) -> str | None:
    """Return why a database can only be recovered in staging, or None where it can be read where it lies.

    It is opened only where there is something to find out: opening one in WAL mode leaves files beside it.
    """
    if _index_is_left_over(database):
        return READ_ONLY
    read_only = bool(os.statvfs(database.path).f_flag & os.ST_RDONLY)
    if not read_only and not sidecar(database.path, "-journal").exists():
        return None
    with closing(open_source(database)) as source:
        try:
            source.execute("PRAGMA busy_timeout=0")
            source.execute("PRAGMA schema_version").fetchone()
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY_ROLLBACK:
                return HOT_JOURNAL
            if primary_code(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) and read_only:
                return READ_ONLY
    return None  # a lock, or damage: the copy itself will wait for it, or say what it is


def _index_is_left_over(database: DatabaseFile) -> bool:
    """Return whether nobody has a database open whose -shm we cannot make anew: the -wal alone tells what is valid."""
    if not database.wal_mode or is_ours_to_write(database):
        return False
    with ExitStack() as closing_it:
        index = open_index(database, closing_it)
        return index is not None and not index.in_use()


def recover_copy(database: DatabaseFile, target: Path, context: CopyContext) -> PinnedCopy:
    """Copy a database with its -wal or -journal into `target`, and let SQLite recover the copy.

    Nothing of the source is opened for writing.

    Raises SourceError when one of the files changes meanwhile: then somebody uses it, and it needs no recovery; and
    where it cannot be told whether the transaction of a hot journal was committed.
    """
    snapshot_at, began = datetime.now(UTC), time.monotonic()
    before = _signatures(database.path)
    for suffix in (suffix for suffix, signature in before.items() if signature is not None):
        try:
            _copy(sidecar(database.path, suffix), sidecar(target, suffix), context)
        except FileNotFoundError as error:
            raise _changed(database.path) from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise no_room(target) from error
            raise SourceError(f"cannot copy {sidecar(database.path, suffix)}: {error.strerror}") from error
    # Before the last look: whoever takes the super-journal away after that has changed our journal before.
    settle(database.path, sidecar(target, "-journal"))
    if before != _signatures(database.path):
        raise _changed(database.path)
    fold(target)
    return PinnedCopy(snapshot_at, time.monotonic() - began)


def _changed(path: Path) -> SourceError:
    return SourceError(f"{path} changed while it was copied: it is in use after all", hint="run the backup again")


def _signatures(path: Path) -> dict[str, tuple[int, int, int, int] | None]:
    return {suffix: _signature(sidecar(path, suffix)) for suffix in ("", *_SIDECARS)}


def _signature(path: Path) -> tuple[int, int, int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _copy(path: Path, target: Path, context: CopyContext) -> None:
    descriptor = create_private(target)
    try:
        with opened_for_reading(path) as source:
            done, total = 0, os.fstat(source).st_size
            while block := os.read(source, CHUNK_BYTES):
                write_all(descriptor, block)
                flush_and_drop(descriptor)
                done += len(block)
                context.progress(done, total)
                if time.monotonic() > context.deadline:
                    raise DeadlineError(f"max_run_seconds passed while {path} was being copied")
    finally:
        os.close(descriptor)
