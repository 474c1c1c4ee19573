"""A backup as it lies in its directory: its manifest, and the marks that people have put there; only read here."""

from __future__ import annotations

import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tracker_backup.errors import RepositoryError
from tracker_backup.repository.manifest import MANIFEST_NAME, Manifest, read_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

KEEP_NAME = ".keep"
"""In a backup's directory: no policy deletes it."""

ACCEPTED_NAME = ".accepted"
"""In a backup's directory: its sudden drop in size is right."""


@dataclass(frozen=True)
class Backup:
    """A directory under a final name; `manifest` is None where it cannot be read, and `problem` says why."""

    id: str
    path: Path
    manifest: Manifest | None
    problem: str | None = None


def load_backup(path: Path) -> Backup:
    """Read the backup in a directory; a damaged manifest is told, not raised."""
    try:
        manifest = read_manifest(path)
        kept, accepted = _is_marked(path / KEEP_NAME), _is_marked(path / ACCEPTED_NAME)
    except RepositoryError as error:
        return Backup(path.name, path, None, error.message)
    return Backup(path.name, path, replace(manifest, kept=kept, accepted=accepted))


def load_own_backup(path: Path) -> Backup:
    """Read a backup of a repository; a manifest that is another's is refused.

    By that id a copied directory would be deleted in its place.
    """
    backup = load_backup(path)
    if backup.manifest is None or backup.manifest.id == backup.id:
        return backup
    return Backup(backup.id, path, None, f"its manifest is that of {backup.manifest.id!r}: is it a copy?")


def latest(backups: Sequence[Backup], now: datetime) -> Backup | None:
    """Return the newest good backup, or else the newest; None where none can be read.

    A run under a clock that was ahead would be the latest for as long as it was ahead: none is from the future, unless
    all are.
    """
    readable = [(backup, backup.manifest) for backup in backups if backup.manifest is not None]
    present = [item for item in readable if item[1].started <= now] or readable
    good = [item for item in present if item[1].good] or present
    newest = max(good, key=lambda item: (item[1].started, len(item[0].id), item[0].id), default=None)
    return None if newest is None else newest[0]


def is_backup_directory(path: Path) -> bool:
    """Return whether a path is a directory with a manifest."""
    return (path / MANIFEST_NAME).is_file()


def _is_marked(path: Path) -> bool:
    """Tell whether a mark is there; raises RepositoryError where that cannot be told, which is no reason to delete."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise RepositoryError(f"cannot look at {path}: {error.strerror}") from error
