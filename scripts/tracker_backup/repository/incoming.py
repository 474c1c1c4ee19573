"""What a run writes to before it has an end: private directories, which become a backup or vanish."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker_backup.errors import RepositoryError
from tracker_backup.repository.backups import is_own_directory
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


def make_way(place: Path) -> None:
    """Remove what stands in the place of a directory of ours and leads elsewhere, or nowhere.

    Raises RepositoryError for a file, which is somebody's; OSError where it cannot be removed.
    """
    if not os.path.lexists(place) or is_own_directory(place):
        return
    if stat.S_ISREG(place.lstat().st_mode):
        raise RepositoryError(f"{place} is a file, and has the name of a directory of ours", hint="move it away")
    place.unlink()
