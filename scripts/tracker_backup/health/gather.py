"""Collect the facts that a status is judged from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tracker_backup.config.instances import require_no_conflict
from tracker_backup.copies.judging import copy_problems, copy_statuses
from tracker_backup.copies.notes import read_notes
from tracker_backup.errors import ConfigurationError, RepositoryError, TrackerBackupError
from tracker_backup.health.begun import died
from tracker_backup.health.runs import as_accepted, failed_runs, with_run
from tracker_backup.health.since import note_jobs, waiting_since
from tracker_backup.health.statefile import read_status, write_status
from tracker_backup.health.status import (
    CRITICAL,
    WARNING,
    Reason,
    Status,
    backup_reasons,
    job_status,
    newest_backup,
)
from tracker_backup.notify.telling import problem_words
from tracker_backup.repository.lock import describe, held_seconds, read_holder
from tracker_backup.repository.manifest import format_time
from tracker_backup.run.capacity import advice, next_run_shortages, present_capacity
from tracker_backup.system.container import short_id
from tracker_backup.system.process import is_stopped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker_backup.config.model import Config
    from tracker_backup.health.runs import LastRun
    from tracker_backup.repository.manifest import Manifest
    from tracker_backup.repository.store import Repository
    from tracker_backup.run.capacity import Capacity


def gather_status(
    config: Config, repository: Repository, runs: Sequence[LastRun], now: datetime | None = None
) -> Status:
    """Look at repository, lock, crontab and disk, and return the instance's status; `runs` is each job's newest."""
    now = now or datetime.now(UTC)
    runs = tuple(runs)
    standing = [*_conflict_reasons(config), *_schedule_reasons(config)]
    try:
        backups = repository.backups()
    except TrackerBackupError as error:
        return Status(
            config.instance, format_time(now), (), (Reason(CRITICAL, _on_one_line(str(error))), *standing), runs
        )
    manifests = [backup.manifest for backup in backups if backup.manifest is not None]
    room = present_capacity(config, manifests)
    unreadable = [f"{backup.id} cannot be read: {backup.problem}" for backup in backups if backup.manifest is None]
    unreadable += [
        f"{backup.id} is damaged, and counts for nothing: {each}" for backup in backups if (each := backup.damage)
    ]
    accepted = {item.id for item in manifests if item.accepted and item.good}
    runs = tuple(as_accepted(run) if run.id in accepted else run for run in runs)
    standing = [
        *standing,
        *backup_reasons(config, manifests, unreadable, now),
        *_quarantine_reasons(repository, manifests),
        *_run_reasons(failed_runs(config, runs, accepted)),
        *_death_reasons(config, runs, now),
        *_holder_reasons(config),
        *_space_reasons(config, manifests, room),
        *_notification_reasons(config),
    ]
    notes = read_notes(config.state_directory)
    copies = copy_statuses(config, notes, manifests, now)
    standing += [Reason(WARNING, problem) for problem in copy_problems(config, notes, copies)]
    since = waiting_since(config, repository.made_at(), now)
    jobs = tuple(job_status(job, manifests, since[job.name], now) for job in config.jobs)
    newest = newest_backup(config, manifests, now)
    return Status(config.instance, format_time(now), jobs, tuple(standing), runs, room, newest, tuple(copies))


def refresh_status(config: Config, repository: Repository, last_run: LastRun | None = None) -> None:
    """Look at the instance and write its status.json, and its metrics; without `last_run` those that stand there stay.

    Raises RepositoryError when one of them cannot be written.
    """
    before = read_status(config.state_directory)
    try:
        note_jobs(config, datetime.now(UTC))
    except OSError as error:
        raise RepositoryError(f"cannot write into {config.state_directory}: {error.strerror}") from error
    runs = with_run(() if before is None else before.runs, last_run)
    status = gather_status(config, repository, runs)
    write_status(config.state_directory, status, datetime.now(UTC))
    if config.metrics_file is not None:
        from tracker_backup.health.metricsfile import write_metrics

        write_metrics(config.metrics_file, status, repository, datetime.now(UTC), name=config.called)


def _conflict_reasons(config: Config) -> list[Reason]:
    """Say that every run is refused, and why: none may begin where another instance claims the same place."""
    try:
        require_no_conflict(config)
    except ConfigurationError as error:
        return [Reason(CRITICAL, f"no backup is made: {_on_one_line(str(error))}")]
    return []


def _schedule_reasons(config: Config) -> list[Reason]:
    from tracker_backup.schedule import service

    try:
        state = service.inspect(config)
    except TrackerBackupError as error:
        return [Reason(WARNING, f"the schedule cannot be looked at: {error.message}")]
    remedy = f"put it right with: {config.command_line('schedule', 'apply', sudo=True)}"
    return [Reason(WARNING, f"schedule: {problem}; {remedy}") for problem in state.problems]


def _quarantine_reasons(repository: Repository, manifests: list[Manifest]) -> list[Reason]:
    return [
        Reason(WARNING, f"a copy that failed its check is in quarantine: {backup.path}")
        for backup in repository.quarantined()
        if backup.manifest is None or not _made_good(backup.manifest, manifests)
    ]


def _made_good(damaged: Manifest, manifests: list[Manifest]) -> bool:
    """Return whether all that failed its check has been in good backups since; those of other sources tell nothing."""
    since = [manifest for manifest in manifests if manifest.good and manifest.started > damaged.started]
    return all(any(manifest.artifact(item.source) for manifest in since) for item in damaged.artifacts)


def _run_reasons(failed: Sequence[LastRun]) -> list[Reason]:
    return [
        Reason(WARNING, f"the last run ({run.job}, {run.finished_at}): {_on_one_line(run.message)}") for run in failed
    ]


def _death_reasons(config: Config, runs: Sequence[LastRun], now: datetime) -> list[Reason]:
    """Name the runs that have died without a word, for which nothing but the note of their beginning speaks."""
    reasons = []
    for begun in died(config, runs, now):
        words = ("--now",) if config.job(begun.job) is None else ("--now", "--job", begun.job)
        what = f"the run of {begun.job} that began at {begun.began_at} (process {begun.pid}) died, without a word"
        why = "killed, perhaps for want of memory, which `dmesg` tells, or the host went down"
        remedy = f"the next one is heard of instead: {config.command_line(*words, sudo=True)}"
        reasons.append(Reason(WARNING, f"{what}: {why}; {remedy}"))
    return reasons


def _holder_reasons(config: Config) -> list[Reason]:
    """Say what is wrong with the run under way: it stands still, or has taken longer than any run may."""
    holder = read_holder(config.repository)
    if not holder:
        return []
    pid, who = holder.get("pid"), describe(holder)
    container = holder.get("container")
    ours = container == short_id()  # elsewhere the number is another process's
    stopped = ours and isinstance(pid, int) and is_stopped(pid)
    kill = f"sudo docker exec {container} kill" if container else "sudo kill"
    going_on = f"{kill} -CONT {pid}" if stopped else f"{kill} {pid}"
    if held_seconds(holder) > config.max_run_seconds + 60:
        return [
            Reason(
                CRITICAL,
                f"a run hangs, for longer than max_run_seconds ({config.max_run_seconds} s), and others wait: {who}; "
                f"end it with: {going_on}",
            )
        ]
    if stopped:
        return [Reason(WARNING, f"a run has been stopped and does nothing: {who}; let it go on with: {going_on}")]
    return []


def _space_reasons(config: Config, manifests: list[Manifest], room: Capacity | None) -> list[Reason]:
    reasons = [
        Reason(
            WARNING,
            f"the next run will find too little room: {shortage}; {_on_one_line(advice(config, manifests, shortage))}",
        )
        for shortage in next_run_shortages(config, manifests)
    ]
    if room is not None and not room.fits and not reasons:
        reasons.append(Reason(WARNING, f"the repository will be full one day: {room}; {room.remedy(config)}"))
    return reasons


def _notification_reasons(config: Config) -> list[Reason]:
    problem = problem_words(config)
    return [] if problem is None else [Reason(WARNING, _on_one_line(problem))]


def _on_one_line(text: str) -> str:
    """Return a message with its hint on one line: monitoring shows no more than the first."""
    return "; ".join(line.strip() for line in text.splitlines())
