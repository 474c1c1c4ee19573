"""Where what is restored lies before it is live, and what was live afterwards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.system.files import fsync_directory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

KEPT_PREFIX = "pre-restore-"


def existing_parent(path: Path) -> Path:
    """Return the nearest directory above a path that is there."""
    return next(parent for parent in path.parents if parent.is_dir())


def kept_directory(parent: Path, identifier: str) -> Path:
    """Return a directory that is not there yet, for what a restore of that backup replaces."""
    name, number = f"{KEPT_PREFIX}{identifier}", 1
    while (parent / name).exists():
        number += 1
        name = f"{KEPT_PREFIX}{identifier}-{number}"
    return parent / name


def make_parents(directory: Path, owner: Mapping[str, Any]) -> None:
    """Make a directory, and those above it, for the owner of what comes into it; those that exist stay."""
    for missing in [path for path in (*reversed(directory.parents), directory) if not path.exists()]:
        missing.mkdir()
        missing.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(missing, owner["uid"], owner["gid"])
        fsync_directory(missing.parent)
