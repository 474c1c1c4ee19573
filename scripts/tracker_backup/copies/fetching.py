"""Bring a backup back from a copy: as a directory that every command takes, compressed and compared again."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.copies.interface import RAW_SUFFIX, Origin, started
from tracker_backup.errors import CheckFailedError, RestoreError, UsageError
from tracker_backup.repository.manifest import MANIFEST_NAME, decode_manifest, encode_manifest
from tracker_backup.repository.scratch import scratch
from tracker_backup.run.artifact import Packer
from tracker_backup.system.diskfaults import remedy
from tracker_backup.system.files import (
    create_private,
    fsync_directory,
    make_private_directory,
    write_atomically,
)
from tracker_backup.system.space import require_room

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from tracker_backup.copies.interface import Copied, Destination
    from tracker_backup.report.reporter import Reporter
    from tracker_backup.repository.manifest import Artifact, Manifest

_MOST_MANIFEST_BYTES = 16 * 1024 * 1024
_LEVEL = 1
LATEST = "latest"


@dataclass(frozen=True)
class Whose:
    """Whose backups are meant: None where nobody has said so; of `rather` rather than of another host."""

    instance: str | None = None
    host: str | None = None
    rather: str | None = None


def choose(copied: Sequence[Copied], identifier: str, whose: Whose, where: str, now: datetime) -> Copied:
    """Return the backup of that id, or the latest, which is none from the future.

    Raises UsageError where there is none, or where there are those of several hosts or instances to choose from.
    """
    own = [each for each in copied if whose.instance in (None, each.origin.instance)]
    own = [each for each in own if whose.host in (None, each.origin.host)]
    found = [
        each for each in own if identifier == each.backup or (identifier == LATEST and started(each.backup) <= now)
    ]
    found = [each for each in found if each.origin.host == whose.rather] or found
    if not found:
        there = ", ".join(each.backup for each in own[-5:]) or "nothing"
        raise UsageError(f"there is no backup {identifier!r} in copy {where}", hint=f"the newest there are: {there}")
    owners = sorted({(each.origin.host, each.origin.instance) for each in found})
    if len(owners) > 1:
        names = ", ".join(f"{of} of {host}" for host, of in owners)
        raise UsageError(
            f"copy {where} has backups of several stacks: {names}",
            hint="say whose with --instance NAME and --host NAME",
        )
    return max(found, key=lambda each: each.backup)


@dataclass(frozen=True)
class Fetching:
    """Brings backups back from one destination."""

    destination: Destination
    reporter: Reporter

    def fetch(self, copied: Copied, directory: Path) -> Path:
        """Put a backup into `directory`, under its id, and return where it is now; nothing half is left under its name.

        Raises UsageError where it is there already, CheckFailedError where what comes is not what was stored, CopyError
        where the program fails, RestoreError where the disk does.
        """
        final = directory / copied.backup
        if os.path.lexists(final):
            raise UsageError(f"there is already {final}", hint="name another directory with --to")
        try:
            make_private_directory(directory)
            with scratch(directory) as temporary:
                whole = temporary / copied.backup
                make_private_directory(whole)
                self._fill(copied, whole)
                whole.rename(final)
                fsync_directory(directory)
        except OSError as error:
            raise RestoreError(f"{error.strerror}: {error.filename or directory}", hint=remedy(error)) from error
        return final

    def _fill(self, copied: Copied, directory: Path) -> None:
        self.reporter.phase(f"look into {self.destination.settings.name}")
        manifest = self._manifest(copied)
        require_room([(directory, manifest.bytes, f"backup {copied.backup}")])
        artifacts = tuple(self._artifact(copied, artifact, directory) for artifact in manifest.artifacts)
        fetched = replace(manifest, artifacts=artifacts)
        write_atomically(directory / MANIFEST_NAME, encode_manifest(fetched), 0o600)
        fsync_directory(directory)

    def _manifest(self, copied: Copied) -> Manifest:
        data = bytearray()

        def take(part: bytes) -> None:
            data.extend(part)
            if len(data) > _MOST_MANIFEST_BYTES:
                raise CheckFailedError(f"the manifest of {copied.backup} is larger than any", hint=_ANOTHER)

        self.destination.read(copied, MANIFEST_NAME, take)
        manifest = decode_manifest(bytes(data), Path(self.destination.settings.name, copied.backup, MANIFEST_NAME))
        origin = Origin(manifest.host, manifest.instance, manifest.job)
        if (manifest.id, origin) != (copied.backup, copied.origin):
            raise CheckFailedError(f"what is called {copied.backup} has the manifest of {manifest.id}", hint=_ANOTHER)
        return manifest

    def _artifact(self, copied: Copied, artifact: Artifact, directory: Path) -> Artifact:
        """Fetch and compress one file; its checksum must be that of the copy that was verified when it was made."""
        self.reporter.phase("fetch", artifact.source)
        descriptor = create_private(directory / artifact.file)
        try:
            with Packer(descriptor, level=_LEVEL, threads=len(os.sched_getaffinity(0)), low_priority=False) as packer:
                packer.begin()
                self.destination.read(copied, artifact.file.removesuffix(RAW_SUFFIX), self._into(packer, artifact))
                stored = packer.finish()
        finally:
            os.close(descriptor)
        if (stored.raw_bytes, stored.raw_sha256) != (artifact.raw_bytes, artifact.raw_sha256):
            raise _not_what_was_stored(artifact)
        return replace(artifact, bytes=stored.bytes, sha256=stored.sha256)

    def _into(self, packer: Packer, artifact: Artifact) -> Callable[[bytes], None]:
        done = 0

        def take(part: bytes) -> None:
            nonlocal done
            done += len(part)
            if done > artifact.raw_bytes:
                raise _not_what_was_stored(artifact)
            packer.write(part)
            self.reporter.progress(done, artifact.raw_bytes)

        return take


_ANOTHER = "fetch another backup: tracker-backup list --copies"


def _not_what_was_stored(artifact: Artifact) -> CheckFailedError:
    return CheckFailedError(f"{artifact.source} is not what was copied: its checksum differs", hint=_ANOTHER)
