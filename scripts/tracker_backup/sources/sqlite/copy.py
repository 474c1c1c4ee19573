"""The pinned copy: the online backup API, run from a connection that holds its read transaction open.

A copy made in steps starts again whenever another process writes, and so never ends on a busy tracker
(https://www.sqlite.org/c3ref/backup_finish.html). With the snapshot pinned first, on the very connection that is copied
from, later writes go to the WAL behind it: no step is ever repeated, and the steps are free for progress, a rate
limit, a deadline and for flushing what was written.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tracker_backup.errors import DeadlineError, SourceError, TooSlowError
from tracker_backup.sources.sqlite.opening import LOCK_TIMEOUT_SECONDS, explain, open_source, primary_code
from tracker_backup.sources.sqlite.strategy import ways_out
from tracker_backup.system.files import create_private, flush_and_drop, free_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from tracker_backup.containers.pause import Pause
    from tracker_backup.sources.interface import CopyContext
    from tracker_backup.sources.sqlite.opening import DatabaseFile

CHUNK_BYTES = 16 * 1024 * 1024
LOCKED_CHUNK_BYTES = 1024 * 1024
"""Under a lock that writers wait for, the stall limit must be looked at often, however slow the disk is."""

SOURCE_RESERVE_BYTES = 64 * 1024 * 1024
"""While the snapshot is pinned the WAL can only grow; with less than this left on its disk the copy is given up."""

_STEP_OK = (0, 101)  # SQLITE_OK, SQLITE_DONE


@dataclass(frozen=True)
class PinnedCopy:
    """What became of a copy; `locked_seconds` is the time for which the snapshot was held."""

    snapshot_at: datetime
    locked_seconds: float
    restarts: int


def copy_pinned(
    database: DatabaseFile,
    target: Path,
    context: CopyContext,
    limit_seconds: float | None,
    pause: Pause | None = None,
) -> PinnedCopy:
    """Copy a live database into the new private file `target`.

    With `limit_seconds` the copy is given up when it has held its lock for that long (rollback journals, where
    writers wait meanwhile); nothing is flushed then before the lock is released. A `pause` freezes them once the lock
    is held and thaws them once it is released: a writer that was frozen with a lock of its own would never let go, and
    one that is thawed too early would wait again.

    Raises SourceError when SQLite cannot read it, the disk of either side fills up, or the file is replaced meanwhile;
    TooSlowError when the limit passes; DeadlineError when the run's time is over. `target` is left for the caller to
    remove.
    """
    descriptor = create_private(target)  # kept open: closing any descriptor of it would drop SQLite's locks
    try:
        with closing(open_source(database)) as source, closing(_open_target(target)) as copy:
            steps = _Steps(database, target, descriptor, context, limit_seconds, pause)
            snapshot_at = pin(source, database)
            steps.begin()
            _refuse_switched(database, limit_seconds)
            with nullcontext() if pause is None else pause.frozen():
                try:
                    source.backup(copy, pages=steps.chunk_pages, progress=steps.after_step, sleep=0)
                except sqlite3.Error as error:
                    raise _explain_copy(error, database, target) from error
                finally:
                    # A frozen writer is thawed only after the lock is gone, however the copy ended.
                    pinned = source.in_transaction
                    if pinned:
                        source.execute("ROLLBACK")
                    locked_seconds = steps.elapsed()
            if not pinned:
                raise SourceError(f"{database.path}: the snapshot was lost during the copy", hint="report this")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    refuse_replaced(database)
    return PinnedCopy(snapshot_at, locked_seconds, steps.restarts)


class _Steps:
    """What happens between two steps of the copy."""

    def __init__(
        self,
        database: DatabaseFile,
        target: Path,
        descriptor: int,
        context: CopyContext,
        stall_limit: float | None,
        pause: Pause | None,
    ) -> None:
        chunk = CHUNK_BYTES if stall_limit is None else LOCKED_CHUNK_BYTES
        self.chunk_pages = max(1, chunk // database.page_size)
        self.restarts = 0
        self._database = database
        self._target = target
        self._descriptor = descriptor
        self._context = context
        self._stall_limit = stall_limit
        self._pause = pause
        self._remaining: int | None = None
        self._began = time.monotonic()

    def begin(self) -> None:
        """Start the clock: the snapshot is pinned from now on."""
        self._began = time.monotonic()

    def elapsed(self) -> float:
        """Return the seconds since the snapshot was pinned."""
        return time.monotonic() - self._began

    def after_step(self, status: int, remaining: int, total: int) -> None:
        """Called by SQLite's backup after each step, with pages remaining and in all."""
        if status & 0xFF == sqlite3.SQLITE_FULL:
            raise no_room(self._target)
        if status not in _STEP_OK:
            # Python would try again for ever; the pinned source cannot be busy, so the copy itself is in trouble.
            raise SourceError(f"cannot write {self._target}: SQLite says {status}", hint="look at its disk")
        if self._remaining is not None and remaining > self._remaining:
            self.restarts += 1
        self._remaining = remaining
        done = (total - remaining) * self._database.page_size
        if self._stall_limit is None:
            flush_and_drop(self._descriptor)
            if remaining:
                self._watch_source_disk()
        elif self.elapsed() > self._stall_limit and remaining:
            raise TooSlowError(
                f"{self._database.path} could not be copied in the {self._stall_limit:g} s for which the tracker may "
                f"be {'kept waiting' if self._pause is None else 'paused'}: {done} of "
                f"{total * self._database.page_size} bytes were",
                rate=done / self.elapsed(),
                hint=ways_out(str(self._database.path)),
            )
        if self._pause is not None and remaining and (why := self._pause.lost()) is not None:
            raise SourceError(
                f"the copy of {self._database.path} was given up, so that nobody waits for it: {why}",
                hint="run the backup again when the service runs",
            )
        if time.monotonic() > self._context.deadline:
            raise DeadlineError(
                f"max_run_seconds passed while {self._database.path} was being copied",
                hint="raise max_run_seconds, or rate_limit_mib_per_second if one is set",
            )
        self._context.progress(done, total * self._database.page_size)
        self._hold_back(done)

    def _hold_back(self, done: int) -> None:
        limit = self._context.rate_limit_bytes_per_second
        if limit and self._stall_limit is None:
            time.sleep(max(0.0, min(done / limit - self.elapsed(), self._context.deadline - time.monotonic())))

    def _watch_source_disk(self) -> None:
        free = free_bytes(self._database.path.parent)
        if free < SOURCE_RESERVE_BYTES:
            raise SourceError(
                f"the disk of {self._database.path} is nearly full ({free // 1024**2} MiB left), and its -wal grows "
                "for as long as the copy runs: given up",
                hint="make room there, or put `staging` on another disk",
            )


def _open_target(target: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(target, isolation_level=None)
    # The file is new and private: nothing to roll back to, flushed by us chunk by chunk, and no page is read again.
    connection.execute("PRAGMA journal_mode=OFF")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-512")
    return connection


def pin(source: sqlite3.Connection, database: DatabaseFile) -> datetime:
    """Take the snapshot on a connection and return when it was; raises SourceError when the lock is not to be had."""
    give_up = time.monotonic() + LOCK_TIMEOUT_SECONDS
    source.execute("BEGIN")
    while True:
        try:
            # The cheapest read that takes the lock; it does not parse the schema, which may be too new for us.
            source.execute("PRAGMA schema_version").fetchone()
            return datetime.now(UTC)
        except sqlite3.Error as error:
            if primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= give_up:
                raise explain(error, database.path) from error


def pinned_in_wal_mode(database: DatabaseFile) -> bool:
    """Return the mode that a database was pinned in, which may not be the one that it was seen in.

    SQLite takes a -wal for what it is wherever it finds one, and nobody can make or remove it under the pin; to ask for
    the journal mode would parse the schema, which may be too new for us.
    """
    return database.path.with_name(database.path.name + "-wal").exists()


def _refuse_switched(database: DatabaseFile, stall_limit_seconds: float | None) -> None:
    """Refuse a database that left WAL mode between the look at it and the lock: writers would wait without a limit."""
    if stall_limit_seconds is None and not pinned_in_wal_mode(database):
        raise SourceError(f"{database.path} has left WAL mode at this very moment", hint="run the backup again")


def _explain_copy(error: sqlite3.Error, database: DatabaseFile, target: Path) -> SourceError:
    if primary_code(error) == sqlite3.SQLITE_FULL:
        return no_room(target)
    return explain(error, database.path)


def no_room(target: Path) -> SourceError:
    """Return the error for a copy whose disk is full."""
    return SourceError(f"no room left for {target}", hint="make room there, or name another disk with `staging`")


def refuse_replaced(database: DatabaseFile) -> None:
    """Raise SourceError when another file has taken the database's place."""
    try:
        status = database.path.stat()
    except OSError as error:
        raise SourceError(f"{database.path} vanished during the copy: {error.strerror}") from error
    if (status.st_dev, status.st_ino) != database.identity:
        raise SourceError(f"{database.path} was replaced by another file during the copy", hint="run the backup again")
