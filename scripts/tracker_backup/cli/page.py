"""status --html: the page, put where it was asked for."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup import __version__
from tracker_backup.errors import RepositoryError, UsageError
from tracker_backup.health.pageview import instance_view
from tracker_backup.health.status import NAMES, UNKNOWN
from tracker_backup.report.page import render
from tracker_backup.report.pagemodel import InstanceView, Page, Problem
from tracker_backup.repository.manifest import format_time
from tracker_backup.system.diskfaults import remedy
from tracker_backup.system.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tracker_backup.health.status import Status
    from tracker_backup.repository.manifest import Manifest

_PRIVATE = 0o600
"""Names, paths and messages stand in a page: who else reads it is its owner's to say."""


def require_place(path: Path) -> None:
    """Raise UsageError where no page can be, before anything is looked at.

    A page takes the place of what is there, which must not be a device, or a link that leads to one.
    """
    if not path.name or path.is_dir():
        raise UsageError(f"--html names a directory: {path}", hint="name a file in it")
    if not path.parent.is_dir():
        raise UsageError(f"there is no directory {path.parent}", hint="make it, or name another file with --html")
    if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
        raise UsageError(f"--html names what is no plain file: {path}", hint="name a new file, or the page itself")


def view(
    name: str, status: Status | None, manifests: Sequence[Manifest], now: datetime, *, problem: str, written: bool
) -> InstanceView:
    """Return what is shown of an instance; where it has no status, the problem that keeps us from it."""
    if status is not None:
        return instance_view(status, manifests, now, written=written)
    return InstanceView(name, NAMES[UNKNOWN], (Problem(NAMES[UNKNOWN], problem),))


def write_page(path: Path, views: Sequence[InstanceView], worst: int, now: datetime) -> None:
    """Write the page, readable by its owner alone, or by whom an older one there is.

    Raises RepositoryError when it cannot be written.
    """
    page = Page(socket.gethostname(), format_time(now), __version__, NAMES[worst], tuple(views))
    try:
        mode, owner = _as_before(path)
        write_atomically(path, render(page).encode(), mode, owner=owner)
    except OSError as error:
        raise RepositoryError(f"cannot write {path}: {error.strerror}", hint=remedy(error)) from error


def _as_before(path: Path) -> tuple[int, tuple[int, int] | None]:
    """Return mode, and where that is ours to give the owner, of the page that is there."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return _PRIVATE, None
    return stat.S_IMODE(found.st_mode) & 0o777, (found.st_uid, found.st_gid) if os.geteuid() == 0 else None
