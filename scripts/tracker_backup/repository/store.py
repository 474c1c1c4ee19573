"""The repository on disk; the only module that writes to it.

Under a final name a backup is complete: its files are flushed, its manifest is written last, and one rename makes it
visible. What is under way, raw, or damaged lies under dot names, which no listing shows.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.errors import ConfigurationError, RepositoryError, UsageError
from tracker_backup.repository.backups import (
    ACCEPTED_NAME,
    KEEP_NAME,
    Backup,
    is_backup_directory,
    latest,
    load_backup,
    load_own_backup,
)
from tracker_backup.repository.incoming import Incoming
from tracker_backup.repository.lock import RepositoryLock
from tracker_backup.repository.manifest import MANIFEST_NAME, Manifest, encode_manifest
from tracker_backup.system.files import (
    create_private,
    fsync_directory,
    make_private_directory,
    remove_tree,
    write_atomically,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Backup", "Incoming", "Repository", "is_backup_directory", "load_backup"]

MARKER_NAME = ".tracker-backup"
_INCOMING, _STAGING, _QUARANTINE = ".incoming", ".staging", ".quarantine"
_CONDEMNED = ".condemned-"
_ROOM_TO_CONDEMN = ".condemned"
"""A directory kept ready: on a full disk a longer name beside the old one may need a block that is not there."""
_SCRATCH = ".scratch-"
_LATEST = "latest"
_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[a-z0-9-]{1,40}")


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
        return [load_own_backup(self.path / name) for name in names if _ID.fullmatch(name)]

    def manifests(self) -> list[Manifest]:
        """Return the manifests of all readable backups, oldest first."""
        return [backup.manifest for backup in self.backups() if backup.manifest is not None]

    def find(self, identifier: str) -> Backup:
        """Return the backup of that id; `latest` is the newest good one, or else the newest; none from the future.

        Raises UsageError where there is none.
        """
        backups = self.backups()
        if identifier == _LATEST:
            found = latest(backups, datetime.now(UTC))
            if found is None:
                raise UsageError(f"there is no backup in {self.path} yet", hint="make one: tracker-backup --now")
            return found
        for backup in backups:
            if backup.id == identifier:
                return backup
        raise UsageError(f"there is no backup {identifier!r} in {self.path}", hint="see: tracker-backup list")

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
            condemned = [*self.path.glob(f"{_CONDEMNED}*"), *(self.path / _ROOM_TO_CONDEMN).glob("*")]
            for directory in (self.path / _INCOMING, *condemned, *staged):
                remove_tree(directory)
        except OSError as error:
            raise RepositoryError(f"cannot clear {error.filename or self.path}: {error.strerror}") from error

    def begin(self, identifier: str) -> Incoming:
        """Make the private directories of a run: for its artifacts, and for its raw snapshots."""
        incoming, staging = self.path / _INCOMING / identifier, self.staging / identifier
        try:
            for directory in (incoming, staging, self.path / _ROOM_TO_CONDEMN):
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
        """Delete backups; each vanishes from the listing in one step, before its files go.

        Raises RepositoryError when one could not be deleted, after the others: they may make the room that is needed.
        """
        problems = []
        for identifier in identifiers:
            if not _ID.fullmatch(identifier):
                raise RepositoryError(f"{identifier!r} is not a backup's id")
            try:
                condemned = self._condemn(identifier)
                fsync_directory(self.path)
                remove_tree(condemned)
            except OSError as error:
                problems.append(f"cannot delete backup {identifier}: {error.strerror}")
        if problems:
            raise RepositoryError("; ".join(problems))

    def _condemn(self, identifier: str) -> Path:
        """Take a backup out of the listing by one rename, and return where it is now."""
        condemned = self.path / f"{_CONDEMNED}{identifier}"
        remove_tree(condemned)
        try:
            return (self.path / identifier).rename(condemned)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return (self.path / identifier).rename(self.path / _ROOM_TO_CONDEMN / identifier)

    def keep(self, identifier: str) -> bool:
        """Pin a backup, so that no policy deletes it; return False where it is pinned already.

        Raises UsageError where there is none of that id, RepositoryError where it cannot be marked.
        """
        return _mark(self._named(identifier).path / KEEP_NAME)

    def unkeep(self, identifier: str) -> bool:
        """Give a pinned backup back to its job's policy; return False where it is not pinned. Raises as `keep`."""
        path = self._named(identifier).path / KEEP_NAME
        try:
            path.unlink()
            fsync_directory(path.parent)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise RepositoryError(f"cannot remove {path}: {error.strerror}") from error
        return True

    def accept(self, identifier: str) -> bool:
        """Note that a backup's sudden drop in size is right; return False where it is noted already.

        Raises as `keep`, and UsageError where nothing in it has dropped.
        """
        backup = self._named(identifier)
        if backup.manifest is not None and not any(artifact.size_drop for artifact in backup.manifest.artifacts):
            raise UsageError(f"there is nothing to accept in {identifier}: no source in it has lost half its size")
        return _mark(backup.path / ACCEPTED_NAME)

    def _named(self, identifier: str) -> Backup:
        if identifier == _LATEST:
            latest = self.find(identifier).id
            raise UsageError(
                "this needs a backup's id: `latest` will be another one tomorrow", hint=f"today it is {latest}"
            )
        backup = self.find(identifier)
        if backup.manifest is None:
            raise RepositoryError(f"{backup.id}: {backup.problem}", hint="what cannot be read is never deleted anyway")
        return backup

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


def _mark(path: Path) -> bool:
    try:
        os.close(create_private(path))
        fsync_directory(path.parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise RepositoryError(f"cannot write {path}: {error.strerror}") from error
    return True


def _is_left_over(entry: Path) -> bool:
    if entry.name.startswith(_SCRATCH):
        process = entry.name.removeprefix(_SCRATCH).partition("-")[0]
        return not Path("/proc", process).exists()
    # What has a manifest is a backup, wherever `staging` may point by mistake.
    ours = entry.is_symlink() or entry.is_dir()
    return ours and _ID.fullmatch(entry.name) is not None and not is_backup_directory(entry)
