"""Disks that are small enough to be filled, which only root may mount."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
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


@contextlib.contextmanager
def image_disk(path: Path, mib: int, make: Sequence[str]) -> Iterator[Path]:
    """Mount a file of `mib` MiB, which the command `make` has made a file system of, on a new directory."""
    image = path.with_name(f"{path.name}.image")
    with image.open("wb") as file:
        file.truncate(mib * 1024**2)
    path.mkdir()
    # mkfs.btrfs tells of changed defaults on stdout, whatever one asks for.
    subprocess.run([*make, str(image)], check=True, stdout=subprocess.DEVNULL)
    # mount sets the loop device to vanish with the last umount.
    subprocess.run(["mount", "-o", "loop", str(image), str(path)], check=True)
    try:
        path.chmod(0o700)
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)
        image.unlink()


def ext4_disk(path: Path, mib: int, *, inodes: int = 1024) -> contextlib.AbstractContextManager[Path]:
    """Mount an ext4 of `mib` MiB, nothing of it set apart for root, on a new directory, for the time of the block."""
    return image_disk(path, mib, ["mkfs.ext4", "-q", "-m", "0", "-N", str(inodes)])


def fill(path: Path, leave_bytes: int = 0) -> Path:
    """Fill the disk of a directory but for `leave_bytes`, and return the file that does it."""
    filler = path / "filler"
    with filler.open("wb", buffering=0) as file:
        room = _free(path) - leave_bytes
        # ext4 needs some of it for its own notes: the rest is taken piece by piece, to the last block.
        for size in (room, room - 256 * 1024, 65536, 4096):
            with contextlib.suppress(OSError):
                while (end := os.fstat(file.fileno()).st_size) < room:
                    os.posix_fallocate(file.fileno(), end, min(size, room - end))
    return filler


def _free(path: Path) -> int:
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize
