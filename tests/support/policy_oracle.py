"""What a policy keeps, said a second time and in another way: for each backup by itself, by counting what is newer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from tracker_backup.config.model import Keep
from tracker_backup.repository.manifest import Artifact, Manifest

PERIODS: Mapping[str, Callable[[datetime], int]] = {
    "hourly": lambda moment: int(moment.timestamp()) // 3600,
    "daily": lambda moment: int(moment.timestamp()) // 86400,
    "weekly": lambda moment: (int(moment.timestamp()) // 86400 + 3) // 7,  # the epoch was a Thursday
    "monthly": lambda moment: moment.year * 12 + moment.month,
    "yearly": lambda moment: moment.year,
}


def age(manifest: Manifest) -> tuple[datetime, int, int, str]:
    """Return what a larger one of is newer; runs of one second are in the order in which they were."""
    return manifest.started, manifest.sequence, len(manifest.id), manifest.id


def staying(manifests: Sequence[Manifest], policies: Mapping[str, Keep], now: datetime) -> set[str]:
    """Return the ids of the backups that stay."""
    present = [each for each in manifests if each.started <= now]
    kept = {each.id for each in manifests if each.started > now or each.kept}
    kept |= {each.id for each in present if each.job not in {*policies, "manual"}}
    kept |= {each.id for each in present if _is_newest_of_a_source(each, present)}
    for each in present:
        policy = {"manual": Keep(last=2, daily=7), **policies}.get(each.job, Keep())
        rivals = [other for other in present if other.job == each.job and not other.kept]
        good = [other for other in present if other.job == each.job and counts(other)]
        if counts(each):
            rivals = [other for other in rivals if counts(other)]
        elif any(age(other) > age(each) for other in good):
            continue
        else:
            rivals = [other for other in rivals if all(age(other) > age(one) for one in good)]
        if each in rivals and _has_a_place(each, rivals, policy):
            kept.add(each.id)
    return kept


def counts(manifest: Manifest) -> bool:
    """Return whether a backup is one that a policy is about."""
    whole = manifest.state == "verified" or (
        manifest.state == "unverified" and all(not artifact.checks for artifact in manifest.artifacts)
    )
    return whole and (manifest.accepted or not any(artifact.size_drop for artifact in manifest.artifacts))


def _has_a_place(one: Manifest, rivals: Sequence[Manifest], policy: Keep) -> bool:
    newer = [other for other in rivals if age(other) > age(one)]
    if len(newer) < policy.last:
        return True
    return any(
        all(period(other.started) != period(one.started) for other in newer)
        and len({period(other.started) for other in newer}) < getattr(policy, rule)
        for rule, period in PERIODS.items()
    )


def _is_newest_of_a_source(one: Manifest, present: Sequence[Manifest]) -> bool:
    """Tell whether nothing newer, in one of two senses, has as good an artifact of one of its sources."""
    for artifact in one.artifacts:
        for kind in _kinds(artifact, one):
            others = [other for other in present if other is not one and _has(other, artifact.source, kind)]
            if all(age(other) < age(one) for other in others):
                return True
            if all((other.sequence, age(other)) < (one.sequence, age(one)) for other in others):
                return True
    return False


def _has(manifest: Manifest, source: str, kind: str) -> bool:
    return any(artifact.source == source and kind in _kinds(artifact, manifest) for artifact in manifest.artifacts)


def _kinds(artifact: Artifact, manifest: Manifest) -> list[str]:
    """Return the ways in which an artifact is good."""
    if artifact.state != "verified" and artifact.checks:
        return []
    word = "verified" if artifact.state == "verified" else "unchecked"
    usual = manifest.accepted or not artifact.size_drop
    return [word, f"{word} of the usual size"] if usual else [word]
