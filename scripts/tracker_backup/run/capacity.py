"""Whether what the jobs' policies keep fits on the repository's disk, and what to do where it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker_backup.system.files import free_bytes
from tracker_backup.system.space import Shortage, format_bytes, shortages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tracker_backup.config.model import Config, Job
    from tracker_backup.repository.manifest import Manifest
    from tracker_backup.system.space import Need

GROWTH = 1.2
"""The next backup may be larger than the last one by this factor."""


@dataclass(frozen=True)
class Capacity:
    """What the policies come to, and what there is; sizes in bytes.

    `backups` is how many backups the jobs keep at most, `policy` what they take; `run` is what a run needs beside
    them: its raw snapshot, where that lies on the same disk, and the backup that an older one makes place for only when
    it is there. `floor` stays free. `available` is what is free or taken by backups of the jobs.
    """

    backups: int
    policy: int
    run: int
    floor: int
    available: int

    @property
    def fits(self) -> bool:
        """Whether the policies will never be what fills the disk."""
        return self.policy + self.run + self.floor <= self.available

    @property
    def affordable(self) -> int:
        """How many of the jobs' backups there is room for."""
        average = self.policy / self.backups if self.backups else 0
        return max(0, int((self.available - self.run - self.floor) / average)) if average else self.backups

    def remedy(self, config: Config) -> str:
        """Say what a person can do where the policies do not fit."""
        return (
            f"there is room for {self.affordable} of {self.backups}: lower `keep` of the jobs in {config.file} "
            "(tracker_backup_jobs, where Ansible wrote it), or give the repository a larger disk"
        )

    def __str__(self) -> str:
        """Return the numbers in a sentence."""
        needed = self.policy + self.run + self.floor
        kept = f"{self.backups} backup{'' if self.backups == 1 else 's'}"
        return (
            f"policy x size = {format_bytes(self.policy)}, the {kept} that `keep` allows at most; "
            f"with {format_bytes(self.run)} for a run and {format_bytes(self.floor)} that stay free "
            f"{format_bytes(needed)} of the {format_bytes(self.available)} that are free or hold backups now"
        )


def newest_of(job: Job, manifests: Sequence[Manifest]) -> Manifest | None:
    """Return a job's newest complete backup."""
    return next((item for item in reversed(manifests) if item.job == job.name and item.good), None)


def capacity(config: Config, manifests: Sequence[Manifest], sizes: Mapping[str, int], raw: int) -> Capacity:
    """Return the reckoning for jobs whose next backup takes `sizes` (bytes stored, by job) and `raw` bytes of staging.

    Raises OSError when the disk cannot be asked.
    """
    stored = sum(item.bytes for item in _of_jobs(config, manifests))
    return Capacity(
        backups=sum(job.keep.most for job in config.jobs),
        policy=sum(job.keep.most * sizes[job.name] for job in config.jobs),
        run=max(sizes.values(), default=0) + (raw if staging_shares_disk(config) else 0),
        floor=config.min_free.on(config.repository),
        available=free_bytes(config.repository) + stored,
    )


def present_capacity(config: Config, manifests: Sequence[Manifest]) -> Capacity | None:
    """Return the reckoning from the newest backups alone, None where there is none to tell a size.

    Raises OSError when the disk cannot be asked.
    """
    newest = {job.name: newest_of(job, manifests) for job in config.jobs}
    known = [item for item in newest.values() if item is not None]
    if not known:
        return None
    # A job that has none yet is taken to be like the largest.
    sizes = {name: max(item.bytes for item in (known if own is None else [own])) for name, own in newest.items()}
    return capacity(config, manifests, sizes, max(map(staged, known)))


def staged(manifest: Manifest) -> int:
    """Return the most that a run has had in staging: one source after the other goes through it."""
    return max((artifact.raw_bytes for artifact in manifest.artifacts), default=0)


def next_run_shortages(config: Config, manifests: Sequence[Manifest]) -> list[Shortage]:
    """Return the disks on which a run like the largest of the jobs' last ones would find too little room.

    Raises OSError when a disk cannot be asked.
    """
    known = [item for item in (newest_of(job, manifests) for job in config.jobs) if item is not None]
    if not known:
        return []
    needs: list[Need] = [
        (existing(config.staging), int(GROWTH * max(map(staged, known))), "the raw snapshot of the next run"),
        (config.repository, int(GROWTH * max(item.bytes for item in known)), "its backup"),
    ]
    return shortages(needs, config.min_free)


def advice(config: Config, manifests: Sequence[Manifest], shortage: Shortage) -> str:
    """Say what a person can do where a run does not fit; what the policies no longer keep is deleted by then."""
    if shortage.path.stat().st_dev != config.repository.stat().st_dev:
        return f"make room for {format_bytes(shortage.missing)} there, or name another disk with `staging`"
    ways = [_keep_fewer(config, manifests, shortage.missing)]
    ways.append(f"or make room for {format_bytes(shortage.missing)} on that disk, or give the repository a larger one")
    if staging_shares_disk(config):
        ways.append("or name another disk for the raw snapshots with `staging`")
    return "\n  ".join(ways)


def _keep_fewer(config: Config, manifests: Sequence[Manifest], missing: int) -> str:
    held = _of_jobs(config, manifests)
    gained, gone = 0, 0
    while gained < missing and gone < len(held) - 1:
        gained += held[gone].bytes
        gone += 1
    if gained < missing:
        return "no smaller policy would help: the newest backup stays in any case"
    return (
        f"keep fewer backups: the policies keep {len(held)} now, and {len(held) - gone} leave room. Lower "
        f"`keep` of the jobs in {config.file} (tracker_backup_jobs, where Ansible wrote it); the next run deletes first"
    )


def _of_jobs(config: Config, manifests: Sequence[Manifest]) -> list[Manifest]:
    """Return the backups that a policy decides about; what a person has pinned is none of them."""
    names = {job.name for job in config.jobs}
    return [item for item in manifests if item.job in names and not item.kept]


def staging_shares_disk(config: Config) -> bool:
    """Tell whether raw snapshots lie on the repository's disk."""
    return existing(config.staging).stat().st_dev == config.repository.stat().st_dev


def existing(path: Path) -> Path:
    """Return a directory, or the nearest one above it that is there."""
    return next(place for place in (path, *path.parents) if place.exists())
