"""A backup as it lies in its directory: its manifest, and the marks that people have put there; only read here."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tracker_backup.errors import RepositoryError
from tracker_backup.repository.manifest import DAMAGED, MANIFEST_NAME, Artifact, Manifest, read_manifest, without

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

KEEP_NAME = ".keep"
"""In a backup's directory: no policy deletes it."""

ACCEPTED_NAME = ".accepted"
"""In a backup's directory: its sudden drop in size is right."""

_DAMAGED_PREFIX = ".damaged-"
"""In a backup's directory, before an artifact's file name: `verify` found that it is not what was stored."""


ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[a-z0-9-]{1,40}")


def run_id(started: datetime, what: str) -> str:
    """Return the id of a run, and of the backup that it may make: its start in UTC and its job, or what else it is."""
    return f"{started:%Y%m%dT%H%M%SZ}-{what}"


@dataclass(frozen=True)
class Backup:
    """A directory under a final name; `manifest` is None where it cannot be read, and `problem` says why.

    `damage` says which artifacts are no longer what was stored, as far as that is known without reading them; the
    manifest then has them, and itself, in the state `damaged`.
    """

    id: str
    path: Path
    manifest: Manifest | None
    problem: str | None = None
    damage: str | None = None

    @property
    def sound(self) -> bool:
        """Whether it can be read, and is what was stored as far as that is known without reading it."""
        return self.problem is None and self.damage is None


def load_backup(path: Path) -> Backup:
    """Read the backup in a directory; a damaged manifest is told, not raised."""
    if not is_own_directory(path):
        return Backup(path.name, path, None, f"{path} is no directory, and no link is followed")
    try:
        manifest = read_manifest(path)
        kept, accepted = is_marked(path / KEEP_NAME), is_marked(path / ACCEPTED_NAME)
        found = {item.source: damage for item in manifest.artifacts if (damage := _damage(path, item)) is not None}
    except RepositoryError as error:
        return Backup(path.name, path, None, error.message)
    manifest = replace(without(manifest, found), kept=kept, accepted=accepted)
    return Backup(path.name, path, manifest, damage="; ".join(found.values()) or None)


def damaged_mark(directory: Path, artifact: Artifact) -> Path:
    """Return the mark that an artifact of the backup in that directory is no longer what was stored."""
    return directory / f"{_DAMAGED_PREFIX}{artifact.file}"


def _damage(directory: Path, artifact: Artifact) -> str | None:
    """Say why an artifact is not what was stored, from its looks and its mark; None where that is not known."""
    found = misshapen(directory, artifact)
    if found is None and is_marked(damaged_mark(directory, artifact)):
        return f"verify found {artifact.file} damaged"
    return found


def misshapen(directory: Path, artifact: Artifact) -> str | None:
    """Say why an artifact cannot be what was stored without having read it; None where it may be.

    Raises RepositoryError where the disk does not tell: that is no reason to count, or to delete, anything.
    """
    path = directory / artifact.file
    try:
        found = path.lstat()
    except FileNotFoundError:
        return f"{artifact.file} is not there"
    except OSError as error:
        raise RepositoryError(f"cannot look at {path}: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        return f"{artifact.file} is no plain file"
    if found.st_size != artifact.bytes:
        return f"{artifact.file} has {found.st_size} bytes, and {artifact.bytes} were stored"
    return None


def load_own_backup(path: Path) -> Backup:
    """Read a backup of a repository; a manifest that is another's is refused.

    By that id a copied directory would be deleted in its place.
    """
    backup = load_backup(path)
    if backup.manifest is None or backup.manifest.id == backup.id:
        return backup
    return Backup(backup.id, path, None, f"its manifest is that of {backup.manifest.id!r}: is it a copy?")


def latest(backups: Sequence[Backup], now: datetime, holding: Sequence[str] = ()) -> Backup | None:
    """Return the newest good backup, or else the newest that is not damaged, or else the newest; None of none.

    Of the good ones it is one that has the sources `holding`; without those, not one of sources chosen by hand, which
    may be all that is wanted of a stack, and all that is missing.

    A run under a clock that was ahead would be the latest for as long as it was ahead: none is from the future, unless
    all are.
    """
    readable = [(backup, backup.manifest) for backup in backups if backup.manifest is not None]
    present = [item for item in readable if item[1].started <= now] or readable
    whole = [item for item in present if item[1].state != DAMAGED] or present
    good = [item for item in whole if item[1].good] or whole
    if holding:
        fitting = [item for item in good if all(item[1].artifact(source) for source in holding)] or good
    else:
        fitting = [item for item in good if not item[1].manual] or good
    newest = max(fitting, key=lambda item: (item[1].started, len(item[0].id), item[0].id), default=None)
    return None if newest is None else newest[0]


def is_backup_directory(path: Path) -> bool:
    """Return whether a path is a directory with a manifest."""
    return (path / MANIFEST_NAME).is_file()


def is_own_directory(path: Path) -> bool:
    """Return whether a path is a directory itself, and not a link to one."""
    return path.is_dir() and not path.is_symlink()


def is_marked(path: Path) -> bool:
    """Tell whether a mark is there; raises RepositoryError where that cannot be told, which is no reason to delete."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise RepositoryError(f"cannot look at {path}: {error.strerror}") from error
