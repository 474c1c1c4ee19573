"""The repository on disk; the only module that writes to it.

Under a final name a backup is complete: its files are flushed, its manifest is written last, and one rename makes it
visible. What is under way, raw, or damaged lies under dot names, which no listing shows.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.errors import ConfigurationError, RepositoryError, UsageError
from tracker_backup.repository.lock import RepositoryLock
from tracker_backup.repository.manifest import MANIFEST_NAME, Manifest, encode_manifest, read_manifest
from tracker_backup.system.files import (
    create_private,
    fsync_directory,
    make_private_directory,
    remove_tree,
    write_atomically,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MARKER_NAME = ".tracker-backup"
_INCOMING, _STAGING, _QUARANTINE = ".incoming", ".staging", ".quarantine"
_CONDEMNED = ".condemned-"
_SCRATCH = ".scratch-"
_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[a-z0-9-]{1,40}")


@dataclass(frozen=True)
class Backup:
    """A directory under a final name; `manifest` is None where it cannot be read, and `problem` says why."""

    id: str
    path: Path
    manifest: Manifest | None
    problem: str | None = None


class Repository:
    """The backups of one instance."""

    def __init__(self, path: Path, staging: Path | None = None) -> None:
        """Name the repository; nothing is read or made by that."""
        self.path = path
        self.staging = staging or path / _STAGING
        self.lock = RepositoryLock(path)

    @property
    def marker(self) -> Path:
        """The file that says: this is a repository, and its disk is mounted."""
        return self.path / MARKER_NAME

    def init(self) -> bool:
        """Make the repository; return False where it is there already.

        Raises RepositoryError when it cannot be made.
        """
        try:
            if self.marker.exists():
                return False
            make_private_directory(self.path)
            text = f"tracker-backup repository, format 1, made {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n"
            write_atomically(self.marker, text.encode(), 0o600)
        except OSError as error:
            raise RepositoryError(f"cannot make the repository {self.path}: {error.strerror}") from error
        return True

    def require(self) -> None:
        """Raise ConfigurationError unless this is a repository: a run never makes one, its disk may not be mounted."""
        try:
            self.marker.stat()
        except PermissionError:
            raise
        except OSError:
            raise ConfigurationError(
                f"{self.path} is not a repository: {self.marker} is missing",
                hint="is the volume mounted? To make a new, empty repository there: tracker-backup init",
            ) from None

    def made_at(self) -> datetime:
        """Return when the repository was made (UTC)."""
        return datetime.fromtimestamp(self.marker.stat().st_mtime, UTC)

    def backups(self) -> list[Backup]:
        """Return all backups, oldest first; one with a damaged manifest is among them, with its problem."""
        self.require()
        try:
            names = sorted(entry.name for entry in os.scandir(self.path) if entry.is_dir(follow_symlinks=False))
        except OSError as error:
            raise RepositoryError(f"cannot list {self.path}: {error.strerror}") from error
        return [_own(load_backup(self.path / name)) for name in names if _ID.fullmatch(name)]

    def manifests(self) -> list[Manifest]:
        """Return the manifests of all readable backups, oldest first."""
        return [backup.manifest for backup in self.backups() if backup.manifest is not None]

    def find(self, identifier: str) -> Backup:
        """Return the backup of that id; `latest` is the newest good one, or else the newest; none from the future.

        Raises UsageError where there is none.
        """
        backups = self.backups()
        if identifier == "latest":
            return self._latest(backups)
        for backup in backups:
            if backup.id == identifier:
                return backup
        raise UsageError(f"there is no backup {identifier!r} in {self.path}", hint="see: tracker-backup list")

    def _latest(self, backups: list[Backup]) -> Backup:
        readable = [(backup, backup.manifest) for backup in backups if backup.manifest is not None]
        if not readable:
            raise UsageError(f"there is no backup in {self.path} yet", hint="make one: tracker-backup --now")
        # A run under a clock that was ahead would be the latest for as long as it was ahead.
        now = datetime.now(UTC)
        present = [item for item in readable if item[1].started <= now] or readable
        good = [item for item in present if item[1].good] or present
        return max(good, key=lambda item: (item[1].started, len(item[0].id), item[0].id))[0]

    def quarantined(self) -> list[Backup]:
        """Return the set that failed its check, if there is one."""
        directory = self.path / _QUARANTINE
        try:
            return [load_backup(entry) for entry in sorted(directory.iterdir()) if _ID.fullmatch(entry.name)]
        except FileNotFoundError:
            return []

    def new_id(self, started: datetime, job: str) -> str:
        """Return an id that no backup has: the run's start in UTC and its job, with a number where it must."""
        base = f"{started:%Y%m%dT%H%M%SZ}-{job}"
        candidates = [base, *(f"{base}-{number}" for number in range(2, 100))]
        for candidate in candidates:
            if not (self.path / candidate).exists() and not (self.path / _QUARANTINE / candidate).exists():
                return candidate
        raise RepositoryError(f"there are 99 backups called {base}: is the clock standing still?")

    # What follows writes, and is called with the lock held.

    def sweep(self) -> None:
        """Remove what a run that was killed left behind."""
        try:
            # Staging may be a directory with other things in it: only what bears our names is removed.
            staged = (
                [entry for entry in self.staging.iterdir() if _is_left_over(entry)] if self.staging.is_dir() else []
            )
            for directory in (self.path / _INCOMING, *self.path.glob(f"{_CONDEMNED}*"), *staged):
                remove_tree(directory)
        except OSError as error:
            raise RepositoryError(f"cannot clear {error.filename or self.path}: {error.strerror}") from error

    def begin(self, identifier: str) -> Incoming:
        """Make the private directories of a run: for its artifacts, and for its raw snapshots."""
        incoming, staging = self.path / _INCOMING / identifier, self.staging / identifier
        try:
            for directory in (incoming, staging):
                make_private_directory(directory)
        except OSError as error:
            raise RepositoryError(f"cannot make {error.filename}: {error.strerror}") from error
        return Incoming(identifier, incoming, staging)

    def publish(self, incoming: Incoming, manifest: Manifest) -> Path:
        """Give a run's artifacts their final name, with their manifest; after this the backup exists."""
        return self._move(incoming, manifest, self.path / incoming.id)

    def quarantine(self, incoming: Incoming, manifest: Manifest) -> Path:
        """Keep a set that failed its check, in the place of an earlier one: it may be the best copy there is."""
        directory = self.path / _QUARANTINE
        make_private_directory(directory)
        earlier = [entry for entry in directory.iterdir() if _ID.fullmatch(entry.name)]
        kept = self._move(incoming, manifest, directory / incoming.id)
        for entry in earlier:
            remove_tree(entry)
        return kept

    def remove(self, identifiers: Iterable[str]) -> None:
        """Delete backups; each vanishes from the listing in one step, before its files go."""
        for identifier in identifiers:
            if not _ID.fullmatch(identifier):
                raise RepositoryError(f"{identifier!r} is not a backup's id")
            condemned = self.path / f"{_CONDEMNED}{identifier}"
            try:
                remove_tree(condemned)
                (self.path / identifier).rename(condemned)
                fsync_directory(self.path)
                remove_tree(condemned)
            except OSError as error:
                raise RepositoryError(f"cannot delete backup {identifier}: {error.strerror}") from error

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a private directory in staging for a reader, which holds no lock; its process's end condemns it."""
        directory = self.staging / f"{_SCRATCH}{os.getpid()}-{secrets.token_hex(4)}"
        try:
            make_private_directory(directory)
        except OSError as error:
            raise RepositoryError(f"cannot make {directory}: {error.strerror}") from error
        try:
            yield directory
        finally:
            remove_tree(directory)

    def _move(self, incoming: Incoming, manifest: Manifest, final: Path) -> Path:
        try:
            write_atomically(incoming.artifacts / MANIFEST_NAME, encode_manifest(manifest), 0o600)
            fsync_directory(incoming.artifacts)
            incoming.artifacts.rename(final)
            fsync_directory(final.parent)
        except OSError as error:
            raise RepositoryError(f"cannot publish {final}: {error.strerror}") from error
        return final


@dataclass(frozen=True)
class Incoming:
    """The private directories of the run under way: `artifacts` becomes the backup, `staging` holds raw snapshots."""

    id: str
    artifacts: Path
    staging: Path

    def create(self, name: str) -> int:
        """Create an artifact's file and return its descriptor."""
        return create_private(self.artifacts / name)

    @property
    def rejected(self) -> Incoming:
        """The run's other set: what failed its check, on its way to quarantine."""
        return Incoming(self.id, self.artifacts.with_name(f"{self.id}.rejected"), self.staging)

    def drop_unless(self, names: Iterable[str]) -> None:
        """Remove what a source that failed has left, and keep the artifacts of those names."""
        kept = set(names)
        for entry in list(self.artifacts.iterdir()):
            if entry.name not in kept:
                entry.unlink()

    def reject(self, name: str) -> None:
        """Move an artifact over to the rejected set."""
        make_private_directory(self.rejected.artifacts)
        (self.artifacts / name).rename(self.rejected.artifacts / name)

    def discard(self) -> None:
        """Remove what is left of the run; what cannot be removed the next run's sweep will take."""
        for directory in (self.artifacts, self.rejected.artifacts, self.staging):
            with contextlib.suppress(OSError):
                remove_tree(directory)


def load_backup(path: Path) -> Backup:
    """Read the backup in a directory; a damaged manifest is told, not raised."""
    try:
        return Backup(path.name, path, read_manifest(path))
    except RepositoryError as error:
        return Backup(path.name, path, None, error.message)


def _own(backup: Backup) -> Backup:
    """Refuse a manifest that is another backup's: by that id a copied directory would be deleted in its place."""
    if backup.manifest is None or backup.manifest.id == backup.id:
        return backup
    return Backup(backup.id, backup.path, None, f"its manifest is that of {backup.manifest.id!r}: is it a copy?")


def _is_left_over(entry: Path) -> bool:
    if entry.name.startswith(_SCRATCH):
        process = entry.name.removeprefix(_SCRATCH).partition("-")[0]
        return not Path("/proc", process).exists()
    # What has a manifest is a backup, wherever `staging` may point by mistake.
    ours = entry.is_symlink() or entry.is_dir()
    return ours and _ID.fullmatch(entry.name) is not None and not is_backup_directory(entry)


def is_backup_directory(path: Path) -> bool:
    """Return whether a path is a directory with a manifest."""
    return (path / MANIFEST_NAME).is_file()
