"""A database that has suddenly lost half its size: perhaps emptied by mistake, and its backup must displace nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracker_backup.system.space import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker_backup.repository.manifest import Artifact, Manifest

COMPARED_WITH = 5
"""So many of a source's last copies say what is usual for it; where there are fewer, those that there are."""

_LEAST_PART = 0.5


def compare_size(artifact: Artifact, earlier: Sequence[Manifest]) -> Artifact:
    """Return a new artifact with what its source's raw size usually is, and whether it is less than half of that.

    `earlier` are all manifests of the repository, in any order. A copy that was itself such a drop says nothing about
    what is usual, or three nights of an emptied database would make that the usual size; with one that was accepted
    the comparison begins anew. That is handed on from copy to copy, because the accepted one may be deleted before
    larger ones are that a policy keeps for years. The order is that of the runs, whatever the clock said.
    """
    from statistics import median  # it is slow to import, and status imports this module

    sizes, since = _sizes(artifact, earlier)
    if not sizes:
        return artifact
    usual = int(median(sizes[-COMPARED_WITH:]))
    dropped = artifact.raw_bytes < _LEAST_PART * usual
    return replace(artifact, usual_raw_bytes=usual, size_drop=dropped, sizes_since=since)


def drop_words(artifact: Artifact) -> str:
    """Say how much smaller an artifact is than usual."""
    usual = "unknown" if artifact.usual_raw_bytes is None else format_bytes(artifact.usual_raw_bytes)
    return f"{artifact.source} has only {format_bytes(artifact.raw_bytes)}, less than half of the usual {usual}"


def _sizes(artifact: Artifact, earlier: Sequence[Manifest]) -> tuple[list[int], int | None]:
    """Return the raw sizes to compare with, oldest first, and since which run's acceptance."""
    sizes: list[int] = []
    since: int | None = None
    for manifest in sorted(earlier, key=lambda each: (each.sequence, each.started, len(each.id), each.id)):
        found = manifest.artifact(artifact.source)
        if found is None or found.type != artifact.type or found in manifest.doubtful:
            continue
        if found.size_drop:
            sizes, since = [], manifest.sequence
        elif found.sizes_since is not None and found.sizes_since != since:
            sizes, since = [], found.sizes_since
        sizes.append(found.raw_bytes)
    return sizes, since
