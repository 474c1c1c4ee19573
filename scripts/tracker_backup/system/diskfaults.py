"""What to do about a disk that refuses, and which file it was about."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REMEDIES = {
    errno.ENOSPC: "make room on that disk: `df -h` says whether bytes are lacking, `df -i` whether inodes are",
    errno.EDQUOT: "make room within the quota there, or raise it: `quota -s` and `repquota -s` say what it is",
    errno.EROFS: "that disk is read-only, which the kernel makes of one with errors: look at `dmesg`, then remount it",
    errno.EIO: "the disk does not do what it should: look at `dmesg` and `smartctl`, and think of another one",
    errno.ESTALE: "the server of that network disk no longer knows it: mount it anew",
    errno.ENOENT: "is the disk still mounted there?",
    errno.ENOTCONN: "whatever serves that disk is gone: mount it anew",
}


def remedy(error: OSError) -> str | None:
    """Say what a person can do about an error of a disk; None where that is not known."""
    return None if error.errno is None else _REMEDIES.get(error.errno)


def refusal(directory: Path) -> OSError | None:
    """Return what would keep us from writing into a directory, None where nothing would; nothing is written for it.

    Raises OSError where it cannot be looked at.
    """
    if os.access(directory, os.W_OK | os.X_OK):
        return None
    if os.statvfs(directory).f_flag & os.ST_RDONLY:
        number = errno.EROFS
    else:
        number = errno.EPERM if os.geteuid() == 0 else errno.EACCES  # root is kept out by an attribute, not by a mode
    return OSError(number, os.strerror(number), str(directory))


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Let an OSError that comes from a descriptor, and so names no file, say which one it was."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise
