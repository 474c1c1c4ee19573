"""What the backups tell of each source: its newest copy, and the newest that can be relied on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime

    from tracker_backup.repository.manifest import Artifact, Manifest


@dataclass(frozen=True)
class Copy:
    """An artifact, and the backup that it lies in."""

    artifact: Artifact
    backup: Manifest


@dataclass(frozen=True)
class SourceFacts:
    """A source's newest copy, the newest one that is good, and the newest verified one; None where there is none."""

    name: str
    newest: Copy | None
    good: Copy | None
    verified: Copy | None


def by_source(manifests: Sequence[Manifest], jobs: Collection[str], now: datetime) -> list[SourceFacts]:
    """Return what there is of each source that the jobs take today; `manifests` are from old to new.

    A source that is no longer backed up has old copies for months, of which nobody needs to be told.
    """
    past = [manifest for manifest in manifests if manifest.started <= now]  # no clock that was ahead hides what is old
    return [
        SourceFacts(
            name,
            _newest(past, name, lambda _: True),
            _newest(past, name, lambda artifact: artifact.good),
            _newest(past, name, lambda artifact: artifact.verified),
        )
        for name in _present(past, jobs)
    ]


def _present(past: Sequence[Manifest], jobs: Collection[str]) -> list[str]:
    """Return the names in each job's newest backup, what is missing in it too; where no job has one, in any newest."""
    newest = {manifest.job: manifest for manifest in past}
    looked_at = [manifest for job, manifest in newest.items() if job in jobs] or list(newest.values())
    names = (
        [*(item.source for item in each.artifacts), *(error.source for error in each.errors)] for each in looked_at
    )
    return list(dict.fromkeys(name for found in names for name in found))


def _newest(past: Sequence[Manifest], name: str, wanted: Callable[[Artifact], bool]) -> Copy | None:
    for manifest in reversed(past):
        artifact = manifest.artifact(name)
        if artifact is not None and wanted(artifact):
            return Copy(artifact, manifest)
    return None
