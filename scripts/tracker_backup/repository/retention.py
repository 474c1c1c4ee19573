"""Which backups stay and which go: a pure function of what there is, the policy, and the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker_backup.config.model import MANUAL_JOB, Keep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tracker_backup.repository.manifest import Manifest

MANUAL_KEEP = Keep(last=2, daily=7)
"""Backups of chosen sources, made by hand, are kept like a job with the default policy."""


@dataclass(frozen=True)
class Verdict:
    """Whether a backup stays, and why."""

    id: str
    keep: bool
    reason: str


def decide(manifests: Sequence[Manifest], policies: Mapping[str, Keep], now: datetime) -> list[Verdict]:
    """Return a verdict for every backup, oldest first.

    `policies` maps a job's name to what is kept of it. Only good backups count for a policy: complete, and verified
    unless no check was asked for. Whatever the policy says, there stay: the newest good artifact of every source, what
    the clock says is still to come, and the backups of a job that has no policy any more.
    """
    ordered = sorted(manifests, key=lambda manifest: (manifest.started, manifest.id))
    future = {manifest.id for manifest in ordered if manifest.started > now}
    present = [manifest for manifest in ordered if manifest.id not in future]
    reasons: dict[str, str] = dict.fromkeys(future, "its time is in the future: was the clock changed?")
    for job, keep in {MANUAL_JOB: MANUAL_KEEP, **policies}.items():
        for identifier, reason in _by_policy([item for item in present if item.job == job], keep).items():
            reasons.setdefault(identifier, reason)
    for identifier, source in _newest_of_each_source(present).items():
        reasons.setdefault(identifier, f"holds the newest verified artifact of {source}")
    known = {MANUAL_JOB, *policies}
    for manifest in present:
        if manifest.job not in known:
            reasons.setdefault(manifest.id, f"its job {manifest.job} is no longer configured: delete it by hand")
        elif not manifest.good and not _superseded(manifest, present):
            reasons.setdefault(manifest.id, f"{manifest.state}, and no complete verified backup of its job is newer")
    return [
        Verdict(manifest.id, manifest.id in reasons, reasons.get(manifest.id, _why_not(manifest)))
        for manifest in ordered
    ]


def _by_policy(manifests: Sequence[Manifest], keep: Keep) -> dict[str, str]:
    good = [manifest for manifest in reversed(manifests) if manifest.good]
    reasons = {manifest.id: f"last {keep.last}" for manifest in good[: keep.last]}
    newest_of_day: dict[str, str] = {}
    for manifest in good:
        newest_of_day.setdefault(manifest.started.strftime("%Y-%m-%d"), manifest.id)
    for day, identifier in list(newest_of_day.items())[: keep.daily]:
        reasons.setdefault(identifier, f"daily {keep.daily}: the newest of {day}")
    return reasons


def _newest_of_each_source(manifests: Sequence[Manifest]) -> dict[str, str]:
    newest: dict[str, str] = {}
    for manifest in manifests:
        for artifact in manifest.artifacts:
            if artifact.good:
                newest[artifact.source] = manifest.id
    return {identifier: source for source, identifier in newest.items()}


def _superseded(manifest: Manifest, others: Sequence[Manifest]) -> bool:
    return any(other.good and other.job == manifest.job and other.started > manifest.started for other in others)


def _why_not(manifest: Manifest) -> str:
    return "beyond the policy of its job" if manifest.good else f"{manifest.state}, and newer ones are complete"
