"""Who has a file open, by device and inode, whatever name he knows it by (proc(5), /proc/PID/fd)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.inplace.interface import Opener

if TYPE_CHECKING:
    from collections.abc import Mapping

Identity = tuple[int, int]


def identities(paths: list[Path]) -> dict[Identity, Path]:
    """Return device and inode of those of the files that are there."""
    found = {}
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue  # it is not there
        found[status.st_dev, status.st_ino] = path
    return found


def openers(files: Mapping[Identity, Path]) -> list[Opener]:
    """Return the processes that have one of the files open, also such as hold no lock.

    Only root can look at the processes of others.
    """
    if not files:
        return []
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            descriptors = list((process / "fd").iterdir())
        except OSError:
            continue  # it has ended, or is not for us to look at
        opened = {path for descriptor in descriptors if (path := files.get(_identity(descriptor))) is not None}
        found += [Opener(int(process.name), _command(process), str(path)) for path in sorted(opened)]
    return found


def _identity(descriptor: Path) -> Identity:
    try:
        status = descriptor.stat()
    except OSError:
        return (-1, -1)  # closed meanwhile
    return (status.st_dev, status.st_ino)


def _command(process: Path) -> str:
    try:
        words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        words = ""
    return "".join(char if char.isprintable() else "?" for char in words)[:80] or "unknown"
