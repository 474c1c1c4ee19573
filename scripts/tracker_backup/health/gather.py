"""Collect the facts that a status is judged from."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tracker_backup.errors import TrackerBackupError
from tracker_backup.health.statefile import read_status, write_status
from tracker_backup.health.status import (
    CRITICAL,
    WARNING,
    LastRun,
    Reason,
    Status,
    backup_reasons,
    job_status,
)
from tracker_backup.repository.lock import read_holder
from tracker_backup.repository.manifest import format_time
from tracker_backup.run.capacity import advice, next_run_shortages, present_capacity

if TYPE_CHECKING:
    from tracker_backup.config.model import Config
    from tracker_backup.repository.manifest import Manifest
    from tracker_backup.repository.store import Repository
    from tracker_backup.run.capacity import Capacity


def gather_status(
    config: Config, repository: Repository, last_run: LastRun | None, now: datetime | None = None
) -> Status:
    """Look at repository, lock, crontab and disk, and return the instance's status."""
    now = now or datetime.now(UTC)
    standing = _schedule_reasons(config)
    try:
        backups = repository.backups()
    except TrackerBackupError as error:
        return Status(config.instance, format_time(now), (), (Reason(CRITICAL, str(error)), *standing), last_run)
    manifests = [backup.manifest for backup in backups if backup.manifest is not None]
    made_at = repository.made_at()
    room = present_capacity(config, manifests)
    unreadable = [backup.id for backup in backups if backup.manifest is None]
    standing = [
        *standing,
        *backup_reasons(config, manifests, unreadable, now),
        *_quarantine_reasons(repository, manifests),
        *_run_reasons(config, last_run, accepted={item.id for item in manifests if item.accepted and item.good}),
        *_space_reasons(config, manifests, room),
    ]
    jobs = tuple(job_status(job, manifests, made_at, now) for job in config.jobs)
    return Status(config.instance, format_time(now), jobs, tuple(standing), last_run, room)


def refresh_status(config: Config, repository: Repository, last_run: LastRun | None = None) -> None:
    """Look at the instance and write its status.json; without `last_run` the one that stands there stays.

    Raises RepositoryError when it cannot be written.
    """
    before = read_status(config.state_directory)
    last_run = last_run or (None if before is None else before.last_run)
    status = gather_status(config, repository, last_run)
    write_status(config.state_directory, status, datetime.now(UTC))


def _schedule_reasons(config: Config) -> list[Reason]:
    from tracker_backup.schedule import service

    try:
        state = service.inspect(config)
    except TrackerBackupError as error:
        return [Reason(WARNING, f"the schedule cannot be looked at: {error.message}")]
    remedy = "put it right with: sudo tracker-backup schedule apply"
    return [Reason(WARNING, f"schedule: {problem}; {remedy}") for problem in state.problems]


def _quarantine_reasons(repository: Repository, manifests: list[Manifest]) -> list[Reason]:
    newest = max((manifest.started for manifest in manifests if manifest.good), default=None)
    return [
        Reason(WARNING, f"a copy that failed its check is in quarantine: {backup.path}")
        for backup in repository.quarantined()
        if backup.manifest is None or newest is None or backup.manifest.started > newest
    ]


def _run_reasons(config: Config, last_run: LastRun | None, accepted: set[str]) -> list[Reason]:
    reasons = []
    if last_run is not None and last_run.exit_code != 0 and last_run.id not in accepted:
        reasons.append(Reason(WARNING, f"the last run ({last_run.job}, {last_run.finished_at}): {last_run.message}"))
    holder = read_holder(config.repository)
    started = None if holder is None else holder.get("started")
    if isinstance(started, int | float) and time.time() - started > config.max_run_seconds + 60:
        reasons.append(Reason(CRITICAL, f"a run of job {holder and holder.get('job')} hangs: see tracker-backup list"))
    return reasons


def _space_reasons(config: Config, manifests: list[Manifest], room: Capacity | None) -> list[Reason]:
    reasons = [
        Reason(WARNING, f"the next run will find too little room: {shortage}; {advice(config, manifests, shortage)}")
        for shortage in next_run_shortages(config, manifests)
    ]
    if room is not None and not room.fits and not reasons:
        reasons.append(Reason(WARNING, f"the repository will be full one day: {room}; {room.remedy(config)}"))
    return reasons
