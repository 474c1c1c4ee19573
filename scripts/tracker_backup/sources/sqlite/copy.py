"""The pinned copy: a read transaction is held open, and the files are read from beginning to end as `cp` reads them.

SQLite's own backup API goes page by page, two calls of the system for each, and takes twice as long and more. While a
snapshot is pinned, the files hold all that it needs. With a rollback journal nobody writes into the database. In WAL
mode writes go to the end of the -wal, which nobody begins anew; what checkpoints bring over into the database comes
from frames no newer than the oldest reader's snapshot, and those are in our copy of the -wal, which is made first and
is folded into the copy in staging (https://www.sqlite.org/walformat.html, 2.3.1 and 4.3; docs/decisions/0064).
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tracker_backup.errors import DeadlineError, SourceError, TooSlowError
from tracker_backup.sources.sqlite.foreign import ForeignWrites, refuse_another, refuse_replaced
from tracker_backup.sources.sqlite.opening import (
    HEADER_BYTES,
    LOCK_TIMEOUT_SECONDS,
    explain,
    header_facts,
    open_source,
    primary_code,
)
from tracker_backup.sources.sqlite.originals import copy_log, open_original
from tracker_backup.sources.sqlite.staged import fold, no_room, sidecar
from tracker_backup.sources.sqlite.strategy import ways_out
from tracker_backup.sources.sqlite.walindex import is_ours_to_write, open_index
from tracker_backup.system.files import create_private, free_bytes, write_all
from tracker_backup.system.flushing import Flusher
from tracker_backup.system.signals import not_suspended
from tracker_backup.system.space import fits_in_memory

if TYPE_CHECKING:
    from pathlib import Path

    from tracker_backup.containers.pause import Pause
    from tracker_backup.sources.interface import CopyContext
    from tracker_backup.sources.sqlite.absence import Absence
    from tracker_backup.sources.sqlite.opening import DatabaseFile
    from tracker_backup.sources.sqlite.walindex import WalIndex

CHUNK_BYTES = 2 * 1024 * 1024
LOCKED_CHUNK_BYTES = 1024 * 1024
"""Under a lock that writers wait for, the stall limit must be looked at often, however slow the disk is."""

SOURCE_RESERVE_BYTES = 64 * 1024 * 1024
"""While the snapshot is pinned the WAL can only grow; with less than this left on its disk the copy is given up."""

WATCHED_BYTES = 8 * CHUNK_BYTES
"""How often that is looked at; a copy that is over sooner pins nothing for long, however small the disk is."""

STILL_SECONDS = 5.0
"""No disk takes so long for a step of a copy under a lock, unless something has stopped it or us."""

_BLOCK_BYTES = 1024 * 1024
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class PinnedCopy:
    """What became of a copy; `locked_seconds` is the time for which the snapshot was held."""

    snapshot_at: datetime
    locked_seconds: float


def copy_pinned(
    database: DatabaseFile,
    target: Path,
    context: CopyContext,
    limit_seconds: float | None,
    pause: Pause | None = None,
    absence: Absence | None = None,
) -> PinnedCopy:
    """Copy a live database into the new private file `target`.

    With `limit_seconds` the copy is given up when it has held its lock for that long (rollback journals, where
    writers wait meanwhile); nothing is flushed then before the lock is released. A `pause` freezes them once the lock
    is held and thaws them once it is released: a writer that was frozen with a lock of its own would never let go, and
    one that is thawed too early would wait again. With an `absence` the limit rests on nobody being there who could
    wait, and the copy is given up when somebody comes back.

    Raises SourceError when it cannot be read, the disk of either side fills up, or the file is replaced or written to
    past SQLite meanwhile; TooSlowError when the limit passes or the absence ends; DeadlineError when the run's time is
    over. `target` is left for the caller to remove, and so is what may lie beside it.
    """
    descriptor = create_private(target)
    frames = 0
    try:
        # Closing any descriptor of the source drops SQLite's locks on it, so ours are closed when it has let go.
        with (
            not_suspended(),
            ExitStack() as after_release,
            closing(open_source(database)) as source,
            Flusher(descriptor, keep_cached=fits_in_memory(database.file_bytes)) as flusher,
        ):
            snapshot_at = pin(source, database)
            refuse_another(database)
            original = open_original(database, after_release)
            wal_mode = pinned_in_wal_mode(database, original)
            _refuse_switched(database, limit_seconds, wal_mode=wal_mode)
            index = open_index(database, after_release) if wal_mode else None
            _refuse_left_over(database, index)
            foreign = ForeignWrites(database, wal_mode=wal_mode, index=index)
            steps = _Steps(database, flusher, foreign, context, limit_seconds, pause, absence)
            if wal_mode:
                frames = copy_log(database, target, index, steps.after_log_step, after_release)
            with nullcontext() if pause is None else pause.frozen():
                try:
                    _copy_file(database, original, descriptor, target, steps)
                finally:
                    # A frozen writer is thawed only after the lock is gone, however the copy ended.
                    source.execute("ROLLBACK")
                    locked_seconds = steps.elapsed()
    finally:
        os.close(descriptor)
    refuse_replaced(database)
    if frames:
        fold(target, frames)
    return PinnedCopy(snapshot_at, locked_seconds)


def _copy_file(database: DatabaseFile, original: int, descriptor: int, target: Path, steps: _Steps) -> None:
    """Copy the database itself, as long as it is now: what a checkpoint puts behind that is in the -wal as well."""
    total, done, step_end = os.fstat(original).st_size, 0, steps.chunk_bytes
    while done < total:
        try:
            block = os.pread(original, min(_BLOCK_BYTES, step_end - done, total - done), done)
        except OSError as error:
            steps.require_no_foreign_writes()  # then it is no wonder
            raise SourceError(
                f"{database.path} cannot be read: {error.strerror}", hint="look at `dmesg` and the disk"
            ) from error
        if not block:
            break  # a checkpoint may cut off what a VACUUM has freed; anybody else who does is found out
        try:
            write_all(descriptor, block)
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise no_room(target) from error
            raise
        done += len(block)
        if done in (step_end, total):
            steps.after_step(done, total)
            step_end += steps.chunk_bytes
    steps.require_no_foreign_writes()


class _Steps:
    """What happens between two steps of the copy."""

    def __init__(
        self,
        database: DatabaseFile,
        flusher: Flusher,
        foreign: ForeignWrites,
        context: CopyContext,
        stall_limit: float | None,
        pause: Pause | None,
        absence: Absence | None,
    ) -> None:
        """Start the clock: the snapshot is pinned from now on, and nobody but SQLite may write."""
        self.chunk_bytes = CHUNK_BYTES if stall_limit is None else LOCKED_CHUNK_BYTES
        self._database = database
        self._flusher = flusher
        self._foreign = foreign
        self._context = context
        self._stall_limit = stall_limit
        self._pause = pause
        self._absence = absence
        self._began = self._heard = time.monotonic()
        self._log_bytes = 0

    def require_no_foreign_writes(self) -> None:
        """Raise SourceError when somebody has written into the database past SQLite since the last time."""
        self._foreign.require_none()

    def elapsed(self) -> float:
        """Return the seconds since the snapshot was pinned."""
        return time.monotonic() - self._began

    def after_log_step(self, done: int, total: int) -> None:
        """Look around after each step of the -wal, which nobody waits for."""
        self._log_bytes = done
        if done % WATCHED_BYTES == 0:
            self._watch_source_disk()
        self._tell(done, total + self._database.file_bytes)

    def after_step(self, done: int, total: int) -> None:
        """Look around after each step, with the bytes that are copied and those in all."""
        self.require_no_foreign_writes()
        self._refuse_standing_still()
        if self._stall_limit is None:
            self._flusher.wrote(self.chunk_bytes)
            if done < total and done % WATCHED_BYTES == 0:
                self._watch_source_disk()
        elif done < total and (why := self._out_of_time()) is not None:
            raise TooSlowError(
                f"{self._database.path} could not be copied {why}: {done} of {total} bytes were",
                rate=done / self.elapsed(),
                hint=ways_out(str(self._database.path)),
            )
        if self._pause is not None and done < total and (why := self._pause.lost()) is not None:
            raise SourceError(
                f"the copy of {self._database.path} was given up, so that nobody waits for it: {why}",
                hint="run the backup again when the service runs",
            )
        self._tell(self._log_bytes + done, self._log_bytes + total)

    def _tell(self, done: int, total: int) -> None:
        if time.monotonic() > self._context.deadline:
            raise DeadlineError(
                f"max_run_seconds passed while {self._database.path} was being copied",
                hint="raise max_run_seconds, or rate_limit_mib_per_second if one is set",
            )
        self._context.progress(done, total)
        self._hold_back(done)

    def _refuse_standing_still(self) -> None:
        """Give up where a single step took longer than all may: that says nothing of how fast the disk is."""
        before, self._heard = self._heard, time.monotonic()
        if self._stall_limit is not None and self._heard - before > max(self._stall_limit, STILL_SECONDS):
            raise SourceError(
                f"the copy of {self._database.path} stood still for {self._heard - before:.0f} s, longer than the "
                "tracker may wait: given up",
                hint="was the program, or the host, stopped meanwhile? If not, look at `dmesg` and the disk",
            )

    def _out_of_time(self) -> str | None:
        """Return what a copy under a lock has not been finished in or before; None while it may go on."""
        if self._stall_limit is not None and self.elapsed() > self._stall_limit:
            waits = "kept waiting" if self._pause is None else "paused"
            return f"in the {self._stall_limit:g} s for which the tracker may be {waits}"
        if self._absence is not None and self._absence.over():
            return "before its service was started, which would wait for the rest"
        return None

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


def pinned_in_wal_mode(database: DatabaseFile, original: int) -> bool:
    """Return the mode that a database was pinned in, which may not be the one that it was seen in.

    SQLite goes by the header, and takes a -wal that holds anything for what it is wherever it finds one; nobody can
    change either under the pin. To ask for the journal mode would parse the schema, which may be too new for us.
    """
    log = sidecar(database.path, "-wal")
    return header_facts(os.pread(original, HEADER_BYTES, 0))["wal_mode"] or (log.exists() and log.stat().st_size > 0)


def _refuse_switched(database: DatabaseFile, stall_limit_seconds: float | None, *, wal_mode: bool) -> None:
    """Refuse a database that left WAL mode between the look at it and the lock: writers would wait without a limit."""
    if stall_limit_seconds is None and not wal_mode:
        raise SourceError(f"{database.path} has left WAL mode at this very moment", hint="run the backup again")


def _refuse_left_over(database: DatabaseFile, index: WalIndex | None) -> None:
    """Refuse to believe a -shm that nobody keeps any more, and that SQLite could not make anew for us."""
    if index is not None and not is_ours_to_write(database) and not index.in_use():
        raise SourceError(f"whoever had {database.path} open has left at this very moment", hint="run the backup again")
