"""A disk that is small enough to be filled: a tmpfs, which only root may mount."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system, or becomes another user")


@contextlib.contextmanager
def small_disk(path: Path, mib: int) -> Iterator[Path]:
    """Mount a disk of `mib` MiB on a new directory, for the time of the block."""
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0700", "tmpfs", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


def fill(path: Path, leave_bytes: int = 0) -> Path:
    """Fill the disk of a directory but for `leave_bytes`, and return the file that does it."""
    filler = path / "filler"
    status = os.statvfs(path)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - leave_bytes)
    return filler
