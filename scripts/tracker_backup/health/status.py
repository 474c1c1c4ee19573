"""Judge an instance from facts: how old the last verified backup of each job is, and what else needs an eye."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from tracker_backup.copies.judging import CopyStatus
from tracker_backup.health.runs import LastRun, runs_from_json, runs_to_json
from tracker_backup.repository.manifest import PARTIAL, UNVERIFIED, format_time, parse_time
from tracker_backup.run.capacity import Capacity
from tracker_backup.run.sizes import drop_words
from tracker_backup.system.records import made

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker_backup.config.model import Config, Job
    from tracker_backup.repository.manifest import Manifest

_Part = TypeVar("_Part")

OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3
NAMES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
WORST_FIRST = (CRITICAL, WARNING, UNKNOWN, OK)
"""In which order one state goes before another, where several instances have one each."""
GRACE = timedelta(hours=2)
"""How late a backup may be before anybody is told."""


@dataclass(frozen=True)
class Reason:
    """Something that is not as it should be; `level` is a Nagios state, 1 or 2."""

    level: int
    text: str


@dataclass(frozen=True)
class Newest:
    """The newest complete verified backup of any job: what it holds, and what it cost; sizes in bytes."""

    id: str
    job: str
    started_at: str
    raw_bytes: int
    bytes: int
    pause_seconds: float


@dataclass(frozen=True)
class JobStatus:
    """A job's newest complete verified backup, its next run, and when its silence becomes a warning, and critical."""

    name: str
    schedule: str | None
    last_verified: str | None
    last_verified_at: str | None
    next_run: str | None
    warning_after: str | None
    critical_after: str | None


@dataclass(frozen=True)
class Status:
    """An instance's state at one moment; it stands in status.json, and can be judged again later from there."""

    instance: str
    written_at: str
    jobs: tuple[JobStatus, ...]
    standing: tuple[Reason, ...] = ()
    runs: tuple[LastRun, ...] = ()
    room: Capacity | None = None
    newest: Newest | None = None
    copies: tuple[CopyStatus, ...] = ()

    @property
    def last_run(self) -> LastRun | None:
        """The newest run of any job."""
        return self.runs[-1] if self.runs else None

    def reasons(self, now: datetime) -> list[Reason]:
        """Return what is not as it should be at `now`, the worst first."""
        found = [*(reason for job in self.jobs for reason in _lateness(job, now)), *self.standing]
        if parse_time(self.written_at) > now + GRACE:
            # What was to be late by then would stay well until then.
            told = f"this was written at {self.written_at}, which is still to come: was the clock changed?"
            found.append(Reason(WARNING, f"{told} The next run writes it anew"))
        return sorted(found, key=lambda reason: -reason.level)

    def level(self, now: datetime) -> int:
        """Return the Nagios state at `now`."""
        return max((reason.level for reason in self.reasons(now)), default=OK)

    def to_json(self, now: datetime) -> dict[str, Any]:
        """Return the object that `status --json` prints and status.json holds."""
        reasons = self.reasons(now)
        runs = {run.job: asdict(run) for run in self.runs}
        return {
            "state": NAMES[self.level(now)],
            "reasons": [{"level": NAMES[reason.level], "text": reason.text} for reason in reasons],
            "instance": self.instance,
            "written_at": self.written_at,
            "judged_at": format_time(now),
            "newest": None if self.newest is None else asdict(self.newest),
            "next_run": min((job.next_run for job in self.jobs if job.next_run is not None), default=None),
            "jobs": [{**asdict(job), "last_run": runs.get(job.name)} for job in self.jobs],
            "last_run": None if self.last_run is None else asdict(self.last_run),
            "room": None if self.room is None else {**asdict(self.room), "fits": self.room.fits},
            "standing": [asdict(reason) for reason in self.standing],
            "last_runs": runs_to_json(self.runs),
            "copies": [asdict(copy) for copy in self.copies],
        }


def status_from_json(document: dict[str, Any]) -> Status:
    """Read back what :meth:`Status.to_json` wrote; raises LookupError, TypeError or ValueError for anything else."""
    if not all(isinstance(document[name], str) for name in ("instance", "written_at")):
        raise TypeError("it is of another type")
    return Status(
        instance=document["instance"],
        written_at=format_time(parse_time(document["written_at"])),
        jobs=tuple(_job(job) for job in document["jobs"]),
        standing=tuple(_reason(reason) for reason in document["standing"]),
        runs=runs_from_json(document),
        room=_part(Capacity, document.get("room")),
        newest=_part(Newest, document.get("newest")),
        copies=tuple(made(CopyStatus, copy, strict=True) for copy in document.get("copies", ())),
    )


def _part(kind: type[_Part], document: dict[str, Any] | None) -> _Part | None:
    return None if document is None else made(kind, document, strict=True)


def _job(document: dict[str, Any]) -> JobStatus:
    job = made(JobStatus, document, strict=True)
    for moment in (job.warning_after, job.critical_after):
        if moment is not None:
            parse_time(moment)
    return job


def _reason(document: dict[str, Any]) -> Reason:
    reason = made(Reason, document, strict=True)
    if reason.level not in (WARNING, CRITICAL):
        raise ValueError("no such level")
    return reason


def newest_backup(config: Config, manifests: Sequence[Manifest], now: datetime) -> Newest | None:
    """Return the newest backup that counts for one of the jobs, None where there is none."""
    names = {job.name for job in config.jobs}
    found = _newest([item for item in manifests if item.job in names], now)
    if found is None:
        return None
    pause = sum(artifact.pause_seconds for artifact in found.artifacts)
    return Newest(found.id, found.job, found.started_at, found.raw_bytes, found.bytes, pause)


def _newest(manifests: Sequence[Manifest], now: datetime) -> Manifest | None:
    # A backup from the future, made under a wrong clock, must not hide for years that no other one follows.
    good = [item for item in manifests if item.good and item.started <= now]
    return max(good, key=lambda manifest: (manifest.started, len(manifest.id), manifest.id), default=None)


def job_status(job: Job, manifests: Sequence[Manifest], since: datetime, now: datetime) -> JobStatus:
    """Return a job's freshness; `since` is from when a backup by its schedule is waited for."""
    newest = _newest([item for item in manifests if item.job == job.name], now)
    last_id, last_at = (None, None) if newest is None else (newest.id, newest.started_at)
    if job.schedule is None:
        return JobStatus(job.name, None, last_id, last_at, None, None, None)
    from tracker_backup.schedule.due import next_run, period_seconds

    period = timedelta(seconds=period_seconds(job.schedule, now))
    expected = next_run(job.schedule, since)
    if newest is not None:
        expected = max(expected, newest.started + period)
    return JobStatus(
        name=job.name,
        schedule=job.schedule,
        last_verified=last_id,
        last_verified_at=last_at,
        next_run=format_time(next_run(job.schedule, now)),
        warning_after=format_time(expected + GRACE),
        critical_after=format_time(expected + period + GRACE),
    )


def is_due(job: Job, attempts: Sequence[Manifest], since: datetime, now: datetime) -> bool:
    """Return whether a scheduled time of a job, which has had its schedule since then, has passed without a set taken.

    `attempts` are the backups and the quarantined set. A partial or damaged one counts here: trying again every hour
    would copy the sound databases, or the damaged one, all day long. A run that yielded nothing is tried again.
    """
    if job.schedule is None:
        return False
    from tracker_backup.schedule.due import next_run

    taken = [manifest.started for manifest in attempts if manifest.job == job.name]
    last = max((moment for moment in taken if moment <= now), default=since)
    return next_run(job.schedule, last) <= now


def backup_reasons(
    config: Config, manifests: Sequence[Manifest], unreadable: Sequence[str], now: datetime
) -> list[Reason]:
    """Return what the backups themselves say that needs an eye; `unreadable` is told as it is."""
    reasons = [Reason(WARNING, f"backup {told}") for told in unreadable]
    reasons += [
        Reason(WARNING, f"backup {manifest.id} is from the future: was the clock changed? It counts for nothing")
        for manifest in manifests
        if manifest.started > now
    ]
    for job in config.jobs:
        newest = next((item for item in reversed(manifests) if item.job == job.name and item.started <= now), None)
        if newest is not None and newest.state == PARTIAL:
            missing = ", ".join(error.source for error in newest.errors)
            reasons.append(Reason(WARNING, f"the newest backup of {job.name}, {newest.id}, is without {missing}"))
        if newest is not None and newest.state == UNVERIFIED and not newest.good:
            reasons.append(Reason(WARNING, f"the newest backup of {job.name}, {newest.id}, is unverified"))
    return [*reasons, *_size_reasons(config, [item for item in manifests if item.started <= now])]


def _size_reasons(config: Config, manifests: Sequence[Manifest]) -> list[Reason]:
    """Return the sources whose newest copy has less than half of its usual size, which nobody has accepted."""
    newest = {artifact.source: (artifact, manifest) for manifest in manifests for artifact in manifest.artifacts}
    return [
        Reason(
            WARNING,
            f"{drop_words(artifact)}; if that is right: {config.command_line('accept', manifest.id, sudo=True)}",
        )
        for artifact, manifest in newest.values()
        if artifact in manifest.doubtful
    ]


def _lateness(job: JobStatus, now: datetime) -> list[Reason]:
    last = job.last_verified_at or "never"
    for level, limit in ((CRITICAL, job.critical_after), (WARNING, job.warning_after)):
        if limit is not None and now > parse_time(limit):
            return [Reason(level, f"job {job.name} has no complete verified backup in time; the last was: {last}")]
    return []
