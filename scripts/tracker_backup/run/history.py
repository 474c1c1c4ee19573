"""What earlier backups tell a new one: rates, ratios, and when a source was last checked in full."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tracker_backup.system.space import ASSUMED_RATIO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker_backup.repository.manifest import Artifact, Manifest

FULL_CHECKS = ("integrity_check", "restore")
"""What a check is called that looks at everything."""
FULL_CHECK_EVERY = timedelta(days=7)
_RATIO_MARGIN = 1.2
_ASSUMED_CLONE_SECONDS = 0.1
COPYING = ("pinned", "paused", "dump")
"""The methods that move every byte; a clone's seconds say nothing about the next copy's."""


class History:
    """The readable manifests of a repository, oldest first."""

    def __init__(self, manifests: Sequence[Manifest], given_up: Mapping[str, float] | None = None) -> None:
        """Keep the manifests, and by source the rates of copies that were given up since."""
        self.manifests = manifests
        self._given_up = given_up or {}

    def last(self, source: str) -> Artifact | None:
        """Return the newest artifact of a source."""
        for manifest in reversed(self.manifests):
            artifact = manifest.artifact(source)
            if artifact is not None:
                return artifact
        return None

    def last_good(self, source: str) -> Artifact | None:
        """Return a source's artifact in the newest backup that counts."""
        good = [artifact for item in self.manifests if item.good and (artifact := item.artifact(source)) is not None]
        return good[-1] if good else None

    def rate(self, source: str) -> float | None:
        """Return the last copy's rate in bytes per second; None for one that was too short to tell, or no copy."""
        if source in self._given_up:
            return self._given_up[source]
        artifact = self.last(source)
        if artifact is None or artifact.method not in COPYING or artifact.copy_seconds < 0.05:  # noqa: PLR2004 - start-up dominates below
            return None
        return artifact.raw_bytes / artifact.copy_seconds

    def clone_seconds(self, source: str) -> float:
        """Return for how long the last clone of a source has held the lock; a guess where there was none.

        It grows with the file's fragments, to which each clone adds.
        """
        for manifest in reversed(self.manifests):
            artifact = manifest.artifact(source)
            if artifact is not None and artifact.method == "clone":
                return artifact.copy_seconds
        return _ASSUMED_CLONE_SECONDS

    def ratio(self, source: str) -> float:
        """Return what part of its raw size a source's artifact will have, on the safe side."""
        artifact = self.last(source)
        if artifact is None or not artifact.raw_bytes:
            return ASSUMED_RATIO
        return min(1.05, _RATIO_MARGIN * artifact.bytes / artifact.raw_bytes)

    def full_check_due(self, source: str, now: datetime) -> bool:
        """Return whether the last full check of a source is a week old, or there was none."""
        for manifest in reversed(self.manifests):
            artifact = manifest.artifact(source)
            checks = () if artifact is None else artifact.checks
            if any(_is_full(str(check.get("check"))) and check.get("ok") for check in checks):
                return now - manifest.started >= FULL_CHECK_EVERY
        return True


def _is_full(check: str) -> bool:
    """Return whether a check of that name looks at everything; the files' names what it did in front of SQLite's."""
    return check.endswith(FULL_CHECKS)
