"""What a status page shows of an instance: a pure function of its status and its backups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker_backup.copies.interface import started
from tracker_backup.health.bysource import by_source
from tracker_backup.health.status import GRACE, NAMES
from tracker_backup.report.pagemodel import (
    BEHIND,
    IN_TIME,
    LATE,
    NEVER,
    OVERDUE,
    THERE,
    UNSCHEDULED,
    CopyRow,
    InstanceView,
    JobRow,
    Problem,
    SourceRow,
    Taken,
)
from tracker_backup.report.tables import check_words
from tracker_backup.repository.manifest import format_time, parse_time
from tracker_backup.run.sizes import drop_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tracker_backup.copies.judging import CopyStatus
    from tracker_backup.health.bysource import SourceFacts
    from tracker_backup.health.status import JobStatus, Status
    from tracker_backup.repository.manifest import Manifest


def instance_view(
    status: Status, manifests: Sequence[Manifest], now: datetime, *, written: bool = False
) -> InstanceView:
    """Return the view of an instance; `manifests` are of its backups, from old to new, none where nobody may look.

    `written` says that the status was not made now, but read from where it was last written.
    """
    return InstanceView(
        name=status.instance,
        state=NAMES[status.level(now)],
        problems=tuple(Problem(NAMES[reason.level], reason.text) for reason in status.reasons(now)),
        jobs=tuple(_job(job, now) for job in status.jobs),
        sources=tuple(_source(each, status.jobs, now) for each in by_source(manifests, _names(status), now)),
        copies=tuple(map(_copy, status.copies)),
        past=tuple(_taken(manifest) for manifest in manifests if manifest.started <= now),
        facts=_facts(status),
        written_at=status.written_at if written else None,
    )


def _names(status: Status) -> set[str]:
    return {job.name for job in status.jobs}


def _job(job: JobStatus, now: datetime) -> JobRow:
    return JobRow(
        name=job.name,
        schedule=job.schedule,
        verdict=_verdict(job, now),
        last_id=job.last_verified,
        last_at=job.last_verified_at,
        next_run=job.next_run,
        late_after=job.warning_after,
        overdue_after=job.critical_after,
    )


def _verdict(job: JobStatus, now: datetime) -> str:
    """Say how a job stands against its schedule; what is new has until its first scheduled time."""
    if job.critical_after is None or job.warning_after is None:
        return UNSCHEDULED
    if now > parse_time(job.critical_after):
        return OVERDUE
    if now > parse_time(job.warning_after):
        return LATE
    return NEVER if job.last_verified is None else IN_TIME


def _source(source: SourceFacts, jobs: Sequence[JobStatus], now: datetime) -> SourceRow:
    newest = None if source.newest is None else source.newest.artifact
    good = source.good
    return SourceRow(
        name=source.name,
        type="" if newest is None else newest.type,
        place="" if newest is None else newest.path,
        verdict=NEVER if good is None else _source_verdict(good.backup, jobs, now),
        last_id=None if good is None else good.backup.id,
        last_at=None if good is None else good.backup.started_at,
        newest_state="never taken" if newest is None else newest.state,
        check="" if newest is None else check_words(newest),
        raw_bytes=0 if newest is None else newest.raw_bytes,
        stored_bytes=0 if newest is None else newest.bytes,
        write_stall_seconds=0.0 if newest is None else newest.write_stall_seconds,
        pause_seconds=0.0 if newest is None else newest.pause_seconds,
    )


def _source_verdict(newest_good: Manifest, jobs: Sequence[JobStatus], now: datetime) -> str:
    """Say how old a source's newest good copy is by the schedule of the job that took it.

    A source that fails night after night is late though the rest of the stack is not. A copy by hand has the shortest
    schedule there is.
    """
    scheduled = [job for job in jobs if job.critical_after is not None and job.warning_after is not None]
    own = [job for job in scheduled if job.name == newest_good.job] or scheduled
    periods = [parse_time(str(job.critical_after)) - parse_time(str(job.warning_after)) for job in own]
    if not periods:
        return UNSCHEDULED
    age, period = now - newest_good.started, min(periods)
    if age > 2 * period + GRACE:
        return OVERDUE
    return LATE if age > period + GRACE else IN_TIME


def _copy(copy: CopyStatus) -> CopyRow:
    return CopyRow(
        name=copy.name,
        job=copy.job,
        verdict=BEHIND if copy.behind else NEVER if copy.backup is None else THERE,
        last_id=copy.backup,
        last_at=None if copy.backup is None else format_time(started(copy.backup)),
    )


def _taken(manifest: Manifest) -> Taken:
    return Taken(
        id=manifest.id,
        job=manifest.job,
        started_at=format_time(manifest.started),
        state=manifest.state,
        good=manifest.good,
        note=_why_not(manifest),
        phases=tuple(manifest.seconds.items()),
        raw_bytes=manifest.raw_bytes,
        stored_bytes=manifest.bytes,
        write_stall_seconds=sum(artifact.write_stall_seconds for artifact in manifest.artifacts),
        pause_seconds=sum(artifact.pause_seconds for artifact in manifest.artifacts),
    )


def _why_not(manifest: Manifest) -> str:
    """Say why a backup does not count; nothing where it does."""
    said = [f"without {error.source}: {error.message}" for error in manifest.errors]
    said += [drop_words(artifact) for artifact in manifest.doubtful]
    said += [f"{artifact.source} is {artifact.state}" for artifact in manifest.artifacts if not artifact.good]
    return "" if manifest.good else "; ".join(said)


def _facts(status: Status) -> tuple[tuple[str, str], ...]:
    found = []
    if status.room is not None:
        found.append(("Room", f"{'enough' if status.room.fits else 'too little'}: {status.room}"))
    found += [
        (f"Last run of {run.job}", f"{run.finished_at}, exit code {run.exit_code}: {run.message}")
        for run in reversed(status.runs)
    ]
    return tuple(found)
