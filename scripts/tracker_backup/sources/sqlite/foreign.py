"""Find out whether somebody writes into a pinned database past SQLite, as `cp`, `rsync --inplace` or `truncate` do.

Locks keep out whoever asks for them, and only SQLite does. A file that is put over the live one in mid-copy keeps its
inode, and what is read from then on belongs to another database; the check of the copy may find nothing wrong with a
mixture of two states of the same tables. But while a snapshot is pinned it is known what SQLite itself may write into
the file: with a rollback journal nothing, in WAL mode what a checkpoint brings over from the -wal, and a checkpoint
notes in the -shm how far it means to go before it begins, and how far it has come when it has ended
(https://www.sqlite.org/walformat.html, 2.1).
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker_backup.errors import SourceError

if TYPE_CHECKING:
    from tracker_backup.sources.sqlite.opening import DatabaseFile
    from tracker_backup.sources.sqlite.walindex import WalIndex

_HINT = "run the backup again; stop the tracker before its database is replaced"


@dataclass(frozen=True)
class _Look:
    """The file, and how far checkpoints were just before and just after; None where that cannot be told."""

    before: tuple[int, int] | None
    file: tuple[int, int]
    after: tuple[int, int] | None


class ForeignWrites:
    """Watches a database whose snapshot is pinned."""

    def __init__(self, database: DatabaseFile, *, wal_mode: bool, index: WalIndex | None) -> None:
        """Take the first look; `index` is the database's -shm in WAL mode.

        Raises SourceError when the file has been replaced already.
        """
        self._database = database
        self._index = index
        self._wal_mode = wal_mode
        self._last = self._look()

    def require_none(self) -> None:
        """Look again.

        Raises SourceError when something was written that SQLite has not written, or another file is in its place.
        """
        now, last = self._look(), self._last
        if now.file != last.file and not self._checkpointed(last, now):
            raise SourceError(
                f"{self._database.path} was written to past SQLite during the copy, as by a file that is put over it",
                hint=_HINT,
            )
        self._last = now

    def _checkpointed(self, last: _Look, now: _Look) -> bool:
        """Return whether a checkpoint may have written between two looks."""
        if not self._wal_mode:
            return False
        progress = [each for look in (last, now) for each in (look.before, look.after)]
        if None in progress:
            return True  # not to be told, so it is not called foreign
        under_way = any(each is not None and each[0] != each[1] for each in progress)
        return under_way or last.before != now.after

    def _look(self) -> _Look:
        before = self._checkpoint()
        refuse_replaced(self._database)
        status = self._database.path.stat()
        return _Look(before, (status.st_size, status.st_mtime_ns), self._checkpoint())

    def _checkpoint(self) -> tuple[int, int] | None:
        return None if self._index is None else self._index.checkpoint()


def refuse_another(database: DatabaseFile) -> None:
    """Raise SourceError unless what SQLite has open is what was looked at.

    By name it could be exchanged and put back meanwhile; nothing is opened for this, which would drop SQLite's locks.
    """
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - the names alone
        with suppress(OSError):  # the descriptor of the listing itself, gone by now
            status = os.stat(f"/proc/self/fd/{name}")  # noqa: PTH116 - a link to what is open, not to a path
            if (status.st_dev, status.st_ino) == database.identity:
                return
    raise SourceError(f"{database.path} was replaced by another file", hint="run the backup again")


def refuse_replaced(database: DatabaseFile) -> None:
    """Raise SourceError when another file has taken the database's place."""
    try:
        status = database.path.stat()
    except OSError as error:
        raise SourceError(f"{database.path} vanished during the copy: {error.strerror}") from error
    if (status.st_dev, status.st_ino) != database.identity:
        raise SourceError(f"{database.path} was replaced by another file during the copy", hint="run the backup again")
