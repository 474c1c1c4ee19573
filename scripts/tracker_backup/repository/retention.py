"""Which backups stay and which go: a pure function of what there is, the policy, and the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker_backup.config.model import MANUAL_JOB, Keep
from tracker_backup.repository.manifest import DAMAGED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tracker_backup.repository.manifest import Manifest

MANUAL_KEEP = Keep(last=2, daily=7)
"""Backups of chosen sources, made by hand, are kept like a job with the default policy."""

_PERIODS = {"hourly": "%Y-%m-%d %H:00", "daily": "%Y-%m-%d", "weekly": "%G-W%V", "monthly": "%Y-%m", "yearly": "%Y"}
"""The rules beside `last`, and how a period is written that a moment in UTC lies in; weeks are those of ISO 8601."""


@dataclass(frozen=True)
class Verdict:
    """Whether a backup stays, and why."""

    id: str
    keep: bool
    reason: str


def decide(manifests: Sequence[Manifest], policies: Mapping[str, Keep], now: datetime) -> list[Verdict]:
    """Return a verdict for every backup, oldest first.

    `policies` maps a job's name to what is kept of it. Only good backups count for a policy: complete, verified unless
    no check was asked for, and not suddenly of half the size. Of the others, those newer than all good ones are kept by
    the same policy on its own, lest a source that fails night after night should fill the disk. Whatever the policy
    says, there stay, and count for nothing: what a person has pinned, what is no longer what was stored, which only a
    person may delete, and what the clock says is still to come.
    Neither go the newest verified and the newest unchecked artifact of every source, by the clock and by the order in
    which they were made, and the backups of a job that has no policy any more.
    """
    ordered = sorted(manifests, key=_by_time)
    present = [manifest for manifest in ordered if manifest.started <= now]
    reasons = {manifest.id: "its time is in the future: was the clock changed?" for manifest in ordered[len(present) :]}
    reasons |= {manifest.id: "pinned by a person: unkeep gives it back" for manifest in ordered if manifest.kept}
    known = {MANUAL_JOB: MANUAL_KEEP, **policies}
    for job, keep in known.items():
        reasons |= _of_job([manifest for manifest in present if manifest.job == job], keep)
    for identifier, reason in _newest_of_each_source(present).items():
        reasons.setdefault(identifier, reason)
    for manifest in present:
        if manifest.state == DAMAGED:
            reasons.setdefault(manifest.id, "damaged: look at it, then delete it by hand")
        if manifest.job not in known:
            reasons.setdefault(manifest.id, f"its job {manifest.job} is no longer configured: delete it by hand")
    return [
        Verdict(manifest.id, manifest.id in reasons, reasons.get(manifest.id) or _why_not(manifest))
        for manifest in ordered
    ]


def _of_job(manifests: Sequence[Manifest], keep: Keep) -> dict[str, str]:
    good = [manifest for manifest in manifests if manifest.good]
    newer = manifests[manifests.index(good[-1]) + 1 :] if good else manifests
    newer = [manifest for manifest in newer if manifest.state != DAMAGED]
    flaws = {manifest.id: _flaw(manifest) for manifest in newer}
    incomplete = {
        identifier: f"{flaws[identifier]}, but newer than every good one: {reason}"
        for identifier, reason in _by_policy(newer, keep).items()
    }
    return _by_policy(good, keep) | incomplete


def _by_policy(manifests: Sequence[Manifest], keep: Keep) -> dict[str, str]:
    newest_first = [manifest for manifest in reversed(manifests) if not manifest.kept]
    reasons = {manifest.id: [f"last {keep.last}"] for manifest in newest_first[: keep.last]}
    for rule, form in _PERIODS.items():
        number: int = getattr(keep, rule)
        for period, identifier in _newest_of_each_period(newest_first, form, number).items():
            reasons.setdefault(identifier, []).append(f"{rule} {number} ({period})")
    return {identifier: ", ".join(found) for identifier, found in reasons.items()}


def _newest_of_each_period(newest_first: Sequence[Manifest], form: str, number: int) -> dict[str, str]:
    """Return by period the newest of it, for the newest periods that have one: those without cost nothing."""
    newest: dict[str, str] = {}
    for manifest in newest_first:
        period = manifest.started.strftime(form)
        if len(newest) == number and period not in newest:
            break
        newest.setdefault(period, manifest.id)
    return newest


def _newest_of_each_source(manifests: Sequence[Manifest]) -> dict[str, str]:
    """Return the backups that hold the newest artifact of a source in one of the ways that there are to be newest.

    After the clock has jumped, what was made last is not what has the highest time; and one that has suddenly lost half
    its size must not be all that is left.
    """
    orders = {"most recently made": sorted(manifests, key=lambda each: each.sequence), "newest": manifests}
    newest: dict[tuple[str, str], str] = {}
    for order, sequence in orders.items():
        for manifest in sequence:
            for artifact in manifest.artifacts:
                if artifact.good:
                    state = f"{order} {'verified' if artifact.verified else 'unchecked'} artifact"
                    newest[f"{state} of any size", artifact.source] = manifest.id
                    if artifact not in manifest.doubtful:
                        newest[state, artifact.source] = manifest.id
    return {identifier: f"holds the {what} of {source}" for (what, source), identifier in newest.items()}


def _by_time(manifest: Manifest) -> tuple[datetime, int, int, str]:
    return manifest.started, manifest.sequence, len(manifest.id), manifest.id


def _flaw(manifest: Manifest) -> str:
    doubtful = ", ".join(artifact.source for artifact in manifest.doubtful)
    return f"size of {doubtful} dropped" if doubtful else manifest.state


def _why_not(manifest: Manifest) -> str:
    return "beyond the policy of its job" if manifest.good else f"{_flaw(manifest)}, and newer ones are there"
