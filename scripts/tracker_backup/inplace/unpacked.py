"""Where the new contents of a database come from: an artifact, or a copy that was unpacked already."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tracker_backup.errors import CheckFailedError, RestoreError
from tracker_backup.run.artifact import read_back
from tracker_backup.run.restore import unpack
from tracker_backup.sources.registry import driver_for
from tracker_backup.system.files import create_private
from tracker_backup.system.space import format_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from tracker_backup.report.reporter import Reporter
    from tracker_backup.repository.manifest import Artifact
    from tracker_backup.sources.interface import CheckResult


class Provider(Protocol):
    """Gives a database, sound as far as that can be known."""

    @property
    def bytes(self) -> int:
        """Its size."""

    @property
    def words(self) -> str:
        """What it is, for the user."""

    def verify(self) -> None:
        """Read what is stored, without unpacking it; raises CheckFailedError where it is not what was stored."""

    def unpack(self, target: Path) -> None:
        """Write it into the new private file `target`; raises CheckFailedError as `verify` does."""

    def check(self, path: Path) -> CheckResult | None:
        """Return what the engine's own check says of what was unpacked, None where it was made already."""


@dataclass(frozen=True)
class FromArtifact:
    """An artifact of a backup."""

    artifact: Artifact
    packed: Path
    reporter: Reporter

    @property
    def bytes(self) -> int:
        """Its size."""
        return self.artifact.raw_bytes

    @property
    def words(self) -> str:
        """Its size and its moment."""
        return f"{format_bytes(self.artifact.raw_bytes)}, as it was at {self.artifact.snapshot_at}"

    def verify(self) -> None:
        """Read it back; only what was verified when it was made can do without the engine's check."""
        if not self.artifact.verified:
            raise RestoreError(
                f"{self.artifact.source} in this backup was never verified, and there is no room to check it",
                hint="make room, or restore another backup",
            )
        self.reporter.phase("read back", self.artifact.source)
        found = read_back(self.packed, low_priority=False, progress=self.reporter.progress, sink=None)
        if (found.sha256, found.raw_sha256) != (self.artifact.sha256, self.artifact.raw_sha256):
            raise CheckFailedError(
                f"{self.packed} is not what was stored", hint="restore another backup: tracker-backup list"
            )

    def unpack(self, target: Path) -> None:
        """Unpack it, checksums compared."""
        self.reporter.phase("unpack", self.artifact.source)
        unpack(self.artifact, self.packed, target, self.reporter.progress)

    def check(self, path: Path) -> CheckResult | None:
        """Return what SQLite says of it."""
        self.reporter.phase("check", self.artifact.source)
        driver = driver_for(self.artifact.type)
        return driver.start_check(path, full=False, low_priority=False, facts=self.artifact.engine).result()


@dataclass(frozen=True)
class FromFile:
    """A database among files that were unpacked and checked."""

    raw: Path
    words: str

    @property
    def bytes(self) -> int:
        """Its size."""
        return self.raw.stat().st_size

    def verify(self) -> None:
        """There is nothing left to look at: it was checked when the files were unpacked."""

    def unpack(self, target: Path) -> None:
        """Copy it."""
        with self.raw.open("rb") as source, open(create_private(target), "wb") as copy:  # noqa: PTH123 - a descriptor
            shutil.copyfileobj(source, copy, 4 * 1024 * 1024)

    def check(self, path: Path) -> CheckResult | None:  # noqa: ARG002 - nothing to look at
        """It was checked when the files were unpacked."""
        return None
