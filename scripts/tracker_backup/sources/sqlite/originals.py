"""The files of a pinned database, opened beside SQLite; and the copy of its -wal, as far as that is committed.

What is opened here is closed with `after_release`, when SQLite has let go: POSIX locks belong to the process, and one
close of any descriptor drops them.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from tracker_backup.errors import SourceError
from tracker_backup.sources.sqlite.staged import no_room, sidecar
from tracker_backup.system.files import create_private, write_all
from tracker_backup.system.flushing import Flusher

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from tracker_backup.sources.sqlite.opening import DatabaseFile
    from tracker_backup.sources.sqlite.walindex import LogEnd, WalIndex

_LOG_HEADER_BYTES, _FRAME_HEADER_BYTES = 32, 24
_SALTS = slice(16, 24)
_BLOCK_BYTES = 1024 * 1024
_TRIES = 20
_AGAIN = "run the backup again"
_DISK_HINT = "look at `dmesg` and the disk"


def open_original(database: DatabaseFile, after_release: ExitStack) -> int:
    """Open the database that was looked at.

    Raises SourceError where it is another one by now, or gone.
    """
    descriptor = _open(database.path, after_release)
    status = os.fstat(descriptor)
    if (status.st_dev, status.st_ino) != database.identity:
        raise SourceError(f"{database.path} was replaced by another file", hint=_AGAIN)
    return descriptor


def copy_log(
    database: DatabaseFile,
    target: Path,
    index: WalIndex | None,
    after_step: Callable[[int, int], None],
    after_release: ExitStack,
) -> int:
    """Copy the -wal of a pinned database beside `target`, up to its last commit; return how many frames that are.

    With none, there is nothing beside it. While our snapshot rests on the -wal, nobody begins it anew; while it rests
    on the database alone, as all was brought over before, somebody may, and then it is looked at again. To copy a part
    of the old one and a part of the new would bring back pages of the past.

    `after_step` is told the bytes that are copied and those in all, and may raise.

    Raises SourceError when it cannot be read or is not what the -shm says.
    """
    log = _open(sidecar(database.path, "-wal"), after_release)
    for _ in range(_TRIES):
        end = None if index is None else index.log_end()
        if end is None:
            raise SourceError(
                f"it cannot be told how much of {sidecar(database.path, '-wal')} is committed: its -shm says nothing",
                hint="start the tracker, so that SQLite makes it anew, and run the backup again",
            )
        if end.frames == 0 or _copied(database, log, end, sidecar(target, "-wal"), after_step):
            return end.frames
    raise SourceError(
        f"{sidecar(database.path, '-wal')} does not agree with its -shm: somebody writes past SQLite", hint=_AGAIN
    )


def _copied(
    database: DatabaseFile, log: int, end: LogEnd, target: Path, after_step: Callable[[int, int], None]
) -> bool:
    """Copy so many frames; return whether they are of one and the same -wal, the one that the -shm tells of."""
    total = _LOG_HEADER_BYTES + end.frames * (_FRAME_HEADER_BYTES + database.page_size)
    head = _read(database, log, _LOG_HEADER_BYTES, 0)
    if head[_SALTS] != end.salts:
        return False
    descriptor = create_private(target)
    try:
        done = 0
        with Flusher(descriptor, keep_cached=True) as flusher:  # it is folded at once
            while done < total:
                block = _read(database, log, min(_BLOCK_BYTES, total - done), done)
                if not block:
                    break  # a checkpoint has cut it off, as it may where nothing of it is needed any more
                write_all(descriptor, block)
                done += len(block)
                flusher.wrote(len(block))
                after_step(done, total)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_room(target) from error
        raise
    finally:
        os.close(descriptor)
    # Whoever begins it anew writes the header first.
    if done >= total and _read(database, log, _LOG_HEADER_BYTES, 0) == head:
        return True
    target.unlink()
    return False


def _read(database: DatabaseFile, log: int, size: int, offset: int) -> bytes:
    try:
        return os.pread(log, size, offset)
    except OSError as error:
        raise SourceError(
            f"{sidecar(database.path, '-wal')} cannot be read: {error.strerror}", hint=_DISK_HINT
        ) from error


def _open(path: Path, after_release: ExitStack) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise SourceError(f"{path} vanished during the copy", hint=_AGAIN) from None
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}", hint=_DISK_HINT) from error
    after_release.callback(os.close, descriptor)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise SourceError(f"{path} was replaced by something that is no file", hint=_AGAIN)
    return descriptor
