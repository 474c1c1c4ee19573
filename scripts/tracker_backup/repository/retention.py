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
    unless no check was asked for. Of the others, those newer than all good ones are kept by the same policy on its own,
    lest a source that fails night after night should fill the disk. Whatever the policy says, there stay: the newest
    verified and the newest good artifact of every source, what the clock says is still to come, and the backups of a
    job that has no policy any more.
    """
    ordered = sorted(manifests, key=lambda manifest: (manifest.started, manifest.id))
    present = [manifest for manifest in ordered if manifest.started <= now]
    reasons: dict[str, str] = {
        manifest.id: "its time is in the future: was the clock changed?"
        for manifest in ordered
        if manifest.started > now
    }
    known = {MANUAL_JOB: MANUAL_KEEP, **policies}
    for job, keep in known.items():
        reasons |= _of_job([manifest for manifest in present if manifest.job == job], keep)
    for identifier, reason in _newest_of_each_source(present).items():
        reasons.setdefault(identifier, reason)
    for manifest in present:
        if manifest.job not in known:
            reasons.setdefault(manifest.id, f"its job {manifest.job} is no longer configured: delete it by hand")
    return [
        Verdict(manifest.id, manifest.id in reasons, reasons.get(manifest.id, _why_not(manifest)))
        for manifest in ordered
    ]


def _of_job(manifests: Sequence[Manifest], keep: Keep) -> dict[str, str]:
    good = [manifest for manifest in manifests if manifest.good]
    newer = [manifest for manifest in manifests if not good or manifest.started > good[-1].started]
    incomplete = {
        identifier: f"not a complete verified one, but newer than those; {reason}"
        for identifier, reason in _by_policy(newer, keep).items()
    }
    return _by_policy(good, keep) | incomplete


def _by_policy(manifests: Sequence[Manifest], keep: Keep) -> dict[str, str]:
    newest_first = manifests[::-1]
    reasons = {manifest.id: f"last {keep.last}" for manifest in newest_first[: keep.last]}
    newest_of_day: dict[str, str] = {}
    for manifest in newest_first:
        newest_of_day.setdefault(manifest.started.strftime("%Y-%m-%d"), manifest.id)
    for day, identifier in list(newest_of_day.items())[: keep.daily]:
        reasons.setdefault(identifier, f"daily {keep.daily}: the newest of {day}")
    return reasons


def _newest_of_each_source(manifests: Sequence[Manifest]) -> dict[str, str]:
    newest: dict[tuple[str, str], str] = {}
    for manifest in manifests:
        for artifact in manifest.artifacts:
            if artifact.verified:
                newest["verified", artifact.source] = manifest.id
            elif artifact.good:
                newest["unchecked", artifact.source] = manifest.id
    return {
        identifier: f"holds the newest {state} artifact of {source}" for (state, source), identifier in newest.items()
    }


def _why_not(manifest: Manifest) -> str:
    return "beyond the policy of its job" if manifest.good else f"{manifest.state}, and newer ones are there"
