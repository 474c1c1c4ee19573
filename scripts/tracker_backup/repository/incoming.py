"""What a run writes to before it has an end: private directories, which become a backup or vanish."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker_backup.system.files import create_private, make_private_directory, remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


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
