"""Disks of their own, of the kinds of file system that share blocks: files behind loop devices, for root only."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from support.small_disk import image_disk

KINDS = {
    "xfs": ["mkfs.xfs", "-q", "-m", "reflink=1"],
    "btrfs": ["mkfs.btrfs", "-q"],
    "xfs without reflink": ["mkfs.xfs", "-q", "-m", "reflink=0"],
}


def cloning_disk(path: Path, kind: str = "xfs", mib: int = 512) -> contextlib.AbstractContextManager[Path]:
    """Mount a new file system of one of `KINDS` on a new directory, for the time of the block."""
    return image_disk(path, mib, KINDS[kind])


@contextlib.contextmanager
def bound(path: Path, at: Path, *, read_only: bool = False) -> Iterator[Path]:
    """Show a directory at a new place as well, where asked such that nothing can be written through it."""
    at.mkdir()
    subprocess.run(["mount", "--bind", str(path), str(at)], check=True)
    try:
        if read_only:
            subprocess.run(["mount", "-o", "remount,bind,ro", str(at)], check=True)
        yield at
    finally:
        subprocess.run(["umount", str(at)], check=True)
