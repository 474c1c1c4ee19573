"""Files that survive a crash, free space, and the page cache."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK_BYTES = 4 * 1024 * 1024
FLUSH_BYTES = 32 * 1024 * 1024
"""So much of a file that is being written may wait in memory before it is flushed to the disk."""


def fsync_directory(path: Path) -> None:
    """Flush a directory's entries, without which a rename may not survive a power failure."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unused_name() -> str:
    """Return what no other file is called; the module secrets would load hashes and random numbers for it."""
    return os.urandom(4).hex()


def write_atomically(
    path: Path, data: bytes, mode: int, *, newer_than: float | None = None, owner: tuple[int, int] | None = None
) -> None:
    """Put `data` under `path` such that a reader, or a crash, sees the old file or the new one, whole.

    With `newer_than` (seconds since the epoch) the new file's modification time is at least a second after it. `owner`
    is the user and the group that it is given to. The temporary file lies in the same directory and its name begins
    with a dot, which cron and our own listing skip; those of writers that were killed are removed.
    """
    _remove_left_over(path)
    temporary, descriptor = _create_temporary(path)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            if newer_than is not None and os.fstat(file.fileno()).st_mtime < newer_than + 1:
                os.utime(file.fileno(), (newer_than + 1, newer_than + 1))
            os.fsync(file.fileno())
            temporary.rename(path)  # before it is closed, and its lock with it
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_directory(path.parent)


def _create_temporary(path: Path) -> tuple[Path, int]:
    """Create a private file beside another one, with a lock by which it is known from one that was left behind."""
    while True:
        temporary = path.with_name(f".{path.name}.{unused_name()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with contextlib.suppress(OSError):  # no file system of ours, and then nobody else gets a lock either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return temporary, descriptor
        os.close(descriptor)  # somebody has cleared it away before it was locked


def _remove_left_over(path: Path) -> None:
    """Remove the temporary files of writers of `path` that were killed; what cannot be removed is in nobody's way."""
    ours = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}")
    with contextlib.suppress(OSError):
        for name in filter(ours.fullmatch, os.listdir(path.parent)):  # noqa: PTH208 - one string each is enough
            with contextlib.suppress(OSError):
                _remove_unless_locked(path.with_name(name))


def _remove_unless_locked(temporary: Path) -> None:
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        temporary.unlink()
    finally:
        os.close(descriptor)


def create_private(path: Path) -> int:
    """Create a file that only its owner can read and return its descriptor; it must not exist yet."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def make_public_directory(path: Path) -> None:
    """Make a directory that others may enter, and those above it, whatever the umask; those that exist stay."""
    for missing in [path for path in (*reversed(path.parents), path) if not path.exists()]:
        missing.mkdir(exist_ok=True)
        missing.chmod(0o755)


def make_private_directory(path: Path) -> None:
    """Create a directory (and its parents) that only its owner can enter; an existing one is left as it is."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def drop_cache(descriptor: int) -> None:
    """Ask the kernel to forget a file's clean pages, so that backups do not push out the tracker's working set."""
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def flush(descriptor: int) -> None:
    """Write a file's data to the disk."""
    os.fdatasync(descriptor)


def flush_and_drop(descriptor: int) -> None:
    """Write a file's data to the disk, then forget its pages."""
    flush(descriptor)
    drop_cache(descriptor)


@contextlib.contextmanager
def opened_for_reading(path: Path) -> Iterator[int]:
    """Open one of our own files; links are not followed, and nothing but a plain file is read.

    Raises OSError for anything else: a FIFO that somebody put there would keep us waiting for ever.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a plain file", str(path))
        yield descriptor
    finally:
        os.close(descriptor)


def free_bytes(path: Path) -> int:
    """Return the bytes that we may still write to the file system of `path`."""
    return shutil.disk_usage(path).free


def disk_bytes(path: Path) -> int:
    """Return the size in bytes of the file system of `path`."""
    return shutil.disk_usage(path).total


def remove_tree(path: Path) -> None:
    """Remove a directory with all that is in it; a missing one is fine."""
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of `data`; a signal may cut a single write short."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
