"""The repository on disk; the only module that writes to it.

Under a final name a backup is complete: its files are flushed, its manifest is written last, and one rename makes it
visible. What is under way, raw, or damaged lies under dot names, which no listing shows.
"""

from __future__ import annotations

import contextlib
import errno
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.errors import ConfigurationError, RepositoryError, UsageError
from tracker_backup.repository.backups import (
    ACCEPTED_NAME,
    ID,
    KEEP_NAME,
    Backup,
    is_backup_directory,
    is_own_directory,
    latest,
    load_backup,
    load_own_backup,
    run_id,
)
from tracker_backup.repository.incoming import Incoming, make_way
from tracker_backup.repository.lock import MARKER_NAME, RepositoryLock
from tracker_backup.repository.manifest import MANIFEST_NAME, Manifest, encode_manifest
from tracker_backup.repository.marks import clear_mark, set_mark
from tracker_backup.repository.scratch import is_left_over, raw, scratch
from tracker_backup.system.diskfaults import remedy
from tracker_backup.system.files import (
    fsync_directory,
    make_private_directory,
    remove_tree,
    write_atomically,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager

__all__ = ["Backup", "Incoming", "Repository", "is_backup_directory", "load_backup"]

_INCOMING, _STAGING, _QUARANTINE = ".incoming", ".staging", ".quarantine"
_CONDEMNED = ".condemned-"
_ROOM_TO_CONDEMN = ".condemned"
"""A directory kept ready: on a full disk a longer name beside the old one may need a block that is not there."""
_LATEST = "latest"


class Repository:
    """The backups of one instance."""

    def __init__(self, path: Path, staging: Path | None = None, *, shared: bool = False) -> None:
        """Name the repository; nothing is read or made by that. It is `shared` by sidecars, each with its own jobs."""
        self.path = path
        self._shared = shared
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
            raise RepositoryError(
                f"cannot make the repository {self.path}: {error.strerror}", hint=remedy(error)
            ) from error
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
            with os.scandir(self.path) as entries:
                names = sorted(entry.name for entry in entries if ID.fullmatch(entry.name))
        except OSError as error:
            raise RepositoryError(f"cannot list {self.path}: {error.strerror}", hint=remedy(error)) from error
        found = [load_own_backup(self.path / name) for name in names]
        # One that was deleted meanwhile is not one that cannot be read.
        return [each for each in found if each.sound or os.path.lexists(each.path)]

    def manifests(self) -> list[Manifest]:
        """Return the manifests of all readable backups, oldest first."""
        return [backup.manifest for backup in self.backups() if backup.manifest is not None]

    def find(self, identifier: str, holding: Sequence[str] = ()) -> Backup:
        """Return the backup of that id; `latest` is the newest good one of a job, or else the newest; none of tomorrow.

        With `holding`, the latest is one that has those sources, also if it was made of chosen sources by hand.
        Raises UsageError where there is none.
        """
        backups = self.backups()
        if identifier == _LATEST:
            found = latest(backups, datetime.now(UTC), holding)
            if found is None:
                raise UsageError(f"there is no backup in {self.path} yet", hint="make one: tracker-backup --now")
            return found
        for backup in backups:
            if backup.id == identifier:
                return backup
        raise UsageError(f"there is no backup {identifier!r} in {self.path}", hint="see: tracker-backup list")

    def quarantined(self) -> list[Backup]:
        """Return the set that failed its check, if there is one."""
        return [load_backup(entry) for entry in self._in_quarantine()]

    def _in_quarantine(self) -> list[Path]:
        """Return the sets in quarantine, oldest first: one, or two where the second one's run was killed just then."""
        directory = self.path / _QUARANTINE
        if not is_own_directory(directory):
            return []
        return sorted(entry for entry in directory.iterdir() if ID.fullmatch(entry.name))

    def new_id(self, started: datetime, job: str) -> str:
        """Return an id that no backup has: the run's start in UTC and its job, with a number where it must."""
        base = run_id(started, job)
        candidates = [base, *(f"{base}-{number}" for number in range(2, 100))]
        for candidate in candidates:
            if not any(os.path.lexists(place / candidate) for place in (self.path, self.path / _QUARANTINE)):
                return candidate
        raise RepositoryError(f"there are 99 backups called {base}: is the clock standing still?")

    # What follows writes, and is called with the lock held.

    def sweep(self) -> None:
        """Remove what a run that was killed left behind."""
        try:
            for place in (self.staging, *(self.path / name for name in (_INCOMING, _QUARANTINE, _ROOM_TO_CONDEMN))):
                make_way(place)
            # Staging may be a directory with other things in it: only what bears our names is removed. Another
            # placement, or another sidecar, stages beside it.
            places = {self.staging, *self.path.glob(f"{_STAGING}*")}
            staged = [entry for place in places if place.is_dir() for entry in place.iterdir() if is_left_over(entry)]
            for entry in self._outdated(self._in_quarantine()):
                self._condemn(entry)
            condemned = [*self.path.glob(f"{_CONDEMNED}*"), *(self.path / _ROOM_TO_CONDEMN).glob("*")]
            for directory in (self.path / _INCOMING, *condemned, *staged):
                remove_tree(directory)
        except OSError as error:
            raise RepositoryError(
                f"cannot clear {error.filename or self.path}: {error.strerror}", hint=remedy(error)
            ) from error

    def begin(self, identifier: str) -> Incoming:
        """Make the private directories of a run: for its artifacts, and for its raw snapshots."""
        incoming, staging = self.path / _INCOMING / identifier, self.staging / identifier
        try:
            for directory in (incoming, staging, self.path / _ROOM_TO_CONDEMN):
                make_private_directory(directory)
        except OSError as error:
            raise RepositoryError(f"cannot make {error.filename}: {error.strerror}", hint=remedy(error)) from error
        return Incoming(identifier, incoming, staging)

    def publish(self, incoming: Incoming, manifest: Manifest) -> Path:
        """Give a run's artifacts their final name, with their manifest; after this the backup exists."""
        return self._move(incoming, manifest, self.path / incoming.id)

    def quarantine(self, incoming: Incoming, manifest: Manifest) -> Path:
        """Keep a set that failed its check, in the place of an earlier one: it may be the best copy there is."""
        directory = self.path / _QUARANTINE
        make_private_directory(directory)
        kept = self._move(incoming, manifest, directory / incoming.id)
        for entry in self._outdated(self._in_quarantine(), newest=kept):
            remove_tree(self._condemn(entry))
        return kept

    def _outdated(self, sets: Sequence[Path], newest: Path | None = None) -> list[Path]:
        """Return the sets in quarantine but for the newest, the last unless it is named; of each job, where shared."""
        by_job: dict[str, list[Path]] = {}
        for entry in sorted(sets, key=lambda entry: (entry == newest, entry)):
            by_job.setdefault(entry.name.partition("Z-")[2] if self._shared else "", []).append(entry)
        return [entry for entries in by_job.values() for entry in entries[:-1]]

    def remove(self, identifiers: Iterable[str]) -> None:
        """Delete backups; each vanishes from the listing in one step, before its files go.

        Raises RepositoryError when one could not be deleted, after the others: they may make the room that is needed.
        """
        problems: list[str] = []
        hint = None
        for identifier in identifiers:
            if not ID.fullmatch(identifier):
                raise RepositoryError(f"{identifier!r} is not a backup's id")
            try:
                remove_tree(self._condemn(self.path / identifier))
            except OSError as error:
                problems.append(f"cannot delete backup {self.path / identifier}: {error.strerror}")
                hint = remedy(error)
        if problems:
            raise RepositoryError("; ".join(problems), hint=hint)

    def _condemn(self, directory: Path) -> Path:
        """Take a set out of the listing, or out of quarantine, by one rename, for good, and return where it is now."""
        condemned = self.path / f"{_CONDEMNED}{directory.name}"
        remove_tree(condemned)
        try:
            directory.rename(condemned)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            condemned = directory.rename(self.path / _ROOM_TO_CONDEMN / directory.name)
        for parent in {condemned.parent, directory.parent}:
            fsync_directory(parent)
        return condemned

    def keep(self, identifier: str) -> bool:
        """Pin a backup, so that no policy deletes it; return False where it is pinned already.

        Raises UsageError where there is none of that id, RepositoryError where it cannot be marked.
        """
        return set_mark(self._named(identifier).path / KEEP_NAME)

    def unkeep(self, identifier: str) -> bool:
        """Give a pinned backup back to its job's policy; return False where it is not pinned. Raises as `keep`."""
        return clear_mark(self._named(identifier).path / KEEP_NAME)

    def accept(self, identifier: str) -> bool:
        """Note that a backup's sudden drop in size is right; return False where it is noted already.

        Raises as `keep`, and UsageError where nothing in it has dropped.
        """
        backup = self._named(identifier)
        if backup.manifest is not None and not any(artifact.size_drop for artifact in backup.manifest.artifacts):
            raise UsageError(f"there is nothing to accept in {identifier}: no source in it has lost half its size")
        return set_mark(backup.path / ACCEPTED_NAME)

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

    def scratch(self) -> AbstractContextManager[Path]:
        """Give a private directory in staging for a reader, which holds no lock; its process's end condemns it."""
        return scratch(self.staging)

    def raw(self, job: str) -> AbstractContextManager[Path]:
        """Give a private directory in staging for a raw backup of a job that is to be copied elsewhere."""
        return raw(self.staging, job)

    def _move(self, incoming: Incoming, manifest: Manifest, final: Path) -> Path:
        try:
            write_atomically(incoming.artifacts / MANIFEST_NAME, encode_manifest(manifest), 0o600)
            fsync_directory(incoming.artifacts)
            incoming.artifacts.rename(final)
            try:
                fsync_directory(final.parent)
            except OSError:
                # It may not outlive the next power failure, and the run is about to say that there is none.
                with contextlib.suppress(OSError):
                    final.rename(incoming.artifacts)
                raise
        except OSError as error:
            raise RepositoryError(f"cannot publish {final}: {error.strerror}", hint=remedy(error)) from error
        return final
