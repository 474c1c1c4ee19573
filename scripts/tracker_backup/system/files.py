"""Files that survive a crash, free space, and the page cache."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from contextlib import contextmanager
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


def write_atomically(path: Path, data: bytes, mode: int, *, newer_than: float | None = None) -> None:
    """Put `data` under `path` such that a reader, or a crash, sees the old file or the new one, whole.

    With `newer_than` (seconds since the epoch) the new file's modification time is at least a second after it.
    The temporary file lies in the same directory and its name begins with a dot, which cron and our own listing skip.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if newer_than is not None and os.fstat(file.fileno()).st_mtime < newer_than + 1:
                os.utime(file.fileno(), (newer_than + 1, newer_than + 1))
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_directory(path.parent)


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


def flush_and_drop(descriptor: int) -> None:
    """Write a file's data to the disk, then forget its pages."""
    os.fdatasync(descriptor)
    drop_cache(descriptor)


@contextmanager
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
