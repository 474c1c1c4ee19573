"""Where what is restored lies before it is live, and what was live afterwards."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.errors import RestoreError
from tracker_backup.system.files import fsync_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

KEPT_PREFIX = "pre-restore-"


def existing_parent(path: Path) -> Path:
    """Return the nearest directory above a path that is there."""
    return next(parent for parent in path.parents if parent.is_dir())


def kept_directory(parent: Path, identifier: str) -> Path:
    """Return a directory that is not there yet, for what a restore of that backup replaces."""
    name, number = f"{KEPT_PREFIX}{identifier}", 1
    while os.path.lexists(parent / name):  # a link that leads nowhere is somebody's, too
        number += 1
        name = f"{KEPT_PREFIX}{identifier}-{number}"
    return parent / name


def temporary_name(identifier: str) -> str:
    """Return a name for what a restore of that backup makes ready beside a live file.

    Whoever may write to that directory, a container's user for one, cannot have put something under it before, and it
    is short however long the live one's is. Backups leave out what is called so (`sources/files/selection.py`).
    """
    return f".tb-{os.urandom(8).hex()}.restoring-{identifier}"


def clear_away(path: Path, tell: Callable[[str], None]) -> None:
    """Remove the file or link that a restore has made ready, if it is there.

    A restore makes no directory under such a name: one that is there is somebody's own and stays, which `tell` hears.

    Raises RestoreError where it is there and cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # names were made of the live ones' once, and nothing can be called so
            return
        if error.errno == errno.ENOTDIR:
            tell(f"{path.parent} is no directory any more: what a restore had made ready in it is gone")
        elif path.is_dir() and not path.is_symlink():
            tell(f"{path} is a directory, which no restore has made, and stays: see who has put it there, remove it")
        else:
            raise RestoreError(
                f"{error.strerror}: {path}",
                hint="nobody needs it: find out why it cannot be removed, remove it, then try again",
            ) from error


def make_parents(directory: Path, owner: Mapping[str, Any]) -> None:
    """Make a directory, and those above it, for the owner of what comes into it; those that exist stay."""
    for missing in [path for path in (*reversed(directory.parents), directory) if not path.exists()]:
        missing.mkdir()
        missing.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(missing, owner["uid"], owner["gid"])
        fsync_directory(missing.parent)
