"""Something else in the place of a file or a directory: what leads elsewhere, never ends, or keeps a reader waiting."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

Impostor = Callable[[Path, Path], None]
"""Makes itself at a path; the second path is what it leads to, if it does."""


def link(path: Path, target: Path) -> None:
    path.symlink_to(target)


def hard_link(path: Path, target: Path) -> None:
    os.link(target / "canary" if target.is_dir() else target, path)


def dangling(path: Path, target: Path) -> None:
    path.symlink_to(target / "nothing")


def loop(path: Path, target: Path) -> None:
    path.symlink_to(path.name)


def fifo(path: Path, target: Path) -> None:
    os.mkfifo(path)


def device(path: Path, target: Path) -> None:
    """It never ends, whoever reads from it."""
    if os.geteuid() == 0:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    else:
        path.symlink_to("/dev/zero")


def unix_socket(path: Path, target: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        descriptor = os.open(path.parent, os.O_PATH)
        made.bind(f"/proc/self/fd/{descriptor}/{path.name}")  # the whole name would be too long
        os.close(descriptor)


def directory(path: Path, target: Path) -> None:
    path.mkdir()
    (path / "mine").write_text("precious")
