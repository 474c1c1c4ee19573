"""The -shm of a database in WAL mode: how far its -wal is valid, and how much of it checkpoints have brought over.

The format is https://www.sqlite.org/walformat.html, 2.1: two copies of a header, then what checkpoints note.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from tracker_backup.sources.sqlite.opening import DatabaseFile

_VERSION = 3007000
_HEADER_BYTES = 48
_HEADER = struct.Struct("=I12xI12x8s8x")  # its version, the last frame of the last commit, the salts of the -wal
_CHECKPOINTS = struct.Struct("=I28xI")  # frames brought over, frames that a checkpoint began to bring over
_TRIES = 100
_DEAD_MANS_SWITCH = 128
_FLOCK = struct.Struct("@hhqqi4x")  # struct flock: type, whence, start, length, process


@dataclass(frozen=True)
class LogEnd:
    """The last frame of the last commit, 0 where the -wal holds nothing, and the salts in the -wal's header."""

    frames: int
    salts: bytes


class WalIndex:
    """An open -shm; it is closed by whoever made `after_release`, since that drops SQLite's locks."""

    def __init__(self, descriptor: int) -> None:
        """Keep the descriptor."""
        self._descriptor = descriptor

    def log_end(self) -> LogEnd | None:
        """Return how far the -wal is valid; None where that cannot be told."""
        for _ in range(_TRIES):
            read = os.pread(self._descriptor, 2 * _HEADER_BYTES, 0)
            one, other = read[:_HEADER_BYTES], read[_HEADER_BYTES:]
            if len(other) == _HEADER_BYTES and one == other:
                version, frames, salts = _HEADER.unpack(one)
                return LogEnd(frames, salts) if version == _VERSION else None
            time.sleep(0.001)  # a writer is at it
        return None

    def checkpoint(self) -> tuple[int, int] | None:
        """Return how many frames have been brought over, and how many a checkpoint means to; None if unknown."""
        read = os.pread(self._descriptor, 2 * _HEADER_BYTES + _CHECKPOINTS.size, 0)
        if len(read) < 2 * _HEADER_BYTES + _CHECKPOINTS.size or read[:4] != struct.pack("=I", _VERSION):
            return None
        done, begun = _CHECKPOINTS.unpack(read[2 * _HEADER_BYTES :])
        return done, begun

    def in_use(self) -> bool:
        """Return whether any other process has the database open in WAL mode.

        Each holds a lock on one byte of the -shm for as long (os_unix.c, UNIX_SHM_DMS).
        """
        wanted = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _DEAD_MANS_SWITCH, 1, 0)
        answer = fcntl.fcntl(self._descriptor, fcntl.F_GETLK, wanted)
        return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def is_ours_to_write(database: DatabaseFile) -> bool:
    """Return whether we could write to a database's -shm, or make one.

    SQLite makes a -shm anew from the -wal where nobody else has the database open. Where it cannot write to it, as on a
    read-only mount, it does so in its own memory, and what the file tells of the -wal may be older: nobody flushes it.
    """
    path = _path_of(database)
    return os.access(path if path.exists() else path.parent, os.W_OK, effective_ids=True)


def open_index(database: DatabaseFile, after_release: ExitStack) -> WalIndex | None:
    """Open the -shm of a database; None where there is none, as with a SQLite that keeps it elsewhere.

    While SQLite has the database open, `after_release` must not end before that does.
    """
    try:
        descriptor = os.open(_path_of(database), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    after_release.callback(os.close, descriptor)
    return WalIndex(descriptor)


def _path_of(database: DatabaseFile) -> Path:
    return database.path.with_name(database.path.name + "-shm")
