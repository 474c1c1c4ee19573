"""What Prometheus is told of an instance: a pure function of its status and its backups.

Names and units follow https://prometheus.io/docs/practices/naming/. Times are Unix timestamps, so that what becomes of
them is asked where the alert is made, and goes on to be asked when nobody writes them any more. What is not known is
left out: a wrong number would be believed. `job` and `instance` are what Prometheus calls its own target, so the labels
are `backup_job` and, of every metric, `backup_instance`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tracker_backup import __version__
from tracker_backup.copies.interface import started
from tracker_backup.health.bysource import by_source
from tracker_backup.health.runs import heard_runs
from tracker_backup.health.status import CRITICAL, WARNING
from tracker_backup.repository.manifest import parse_time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tracker_backup.health.status import Status
    from tracker_backup.repository.manifest import Manifest

PREFIX = "tracker_backup_"

_JOB_TIMES = (
    (
        "last_success",
        "last_verified_at",
        "Start of the newest backup that counts: complete, and found sound if checked.",
    ),
    ("next_run", "next_run", "Next scheduled time."),
    ("late", "warning_after", "From when on the lack of a newer backup is a warning."),
    ("overdue", "critical_after", "From when on it is critical."),
)
_OF_ARTIFACTS = (
    ("raw_bytes", "Size of the newest copy.", lambda artifact: artifact.raw_bytes),
    ("stored_bytes", "Size of its artifact.", lambda artifact: artifact.bytes),
    ("copy_seconds", "How long it took to copy.", lambda artifact: artifact.copy_seconds),
    ("write_stall_seconds", "For how long writes waited meanwhile.", lambda artifact: artifact.write_stall_seconds),
    ("pause_seconds", "For how long its service was paused.", lambda artifact: artifact.pause_seconds),
    ("verified", "1 where the newest copy was read back and found sound.", lambda artifact: int(artifact.verified)),
    ("good", "1 where it was, or nobody asked for a check.", lambda artifact: int(artifact.good)),
)


@dataclass(frozen=True)
class Metric:
    """One gauge; `samples` are the values of its labels, in their order, and its value."""

    name: str
    text: str
    labels: tuple[str, ...] = ()
    samples: list[tuple[tuple[str, ...], float]] = field(default_factory=list)

    def add(self, value: float | None, *labels: str) -> None:
        """Add a sample; what is not known is left out."""
        if value is not None:
            self.samples.append((labels, value))


def metrics(status: Status, manifests: Sequence[Manifest] | None, now: datetime) -> list[Metric]:
    """Return all metrics; `manifests` are of its backups, from old to new, None where nobody could look at them."""
    found = [*_of_instance(status, now), *_of_jobs(status, manifests or ()), *_of_copies(status)]
    if manifests is not None:
        found += [*_of_repository(status, manifests), *_of_sources(status, manifests, now)]
    return found


def _of_instance(status: Status, now: datetime) -> list[Metric]:
    reasons = status.reasons(now)
    version = Metric(f"{PREFIX}info", "The program's version, as a label.", ("version",), [((__version__,), 1)])
    written = Metric(f"{PREFIX}written_timestamp_seconds", "When this file was written.", (), [((), now.timestamp())])
    state = Metric(f"{PREFIX}state", "0 OK, 1 WARNING, 2 CRITICAL, as `status` says.", (), [((), status.level(now))])
    problems = Metric(f"{PREFIX}problems", "What is not as it should be.", ("level",))
    for level, name in ((WARNING, "warning"), (CRITICAL, "critical")):
        problems.add(sum(reason.level == level for reason in reasons), name)
    return [version, written, state, problems]


def _of_repository(status: Status, manifests: Sequence[Manifest]) -> list[Metric]:
    backups = Metric(f"{PREFIX}backups", "Backups in the repository, of each state.", ("state",))
    for name in sorted({manifest.state for manifest in manifests}):
        backups.add(sum(manifest.state == name for manifest in manifests), name)
    stored = sum(manifest.bytes for manifest in manifests)
    size = Metric(f"{PREFIX}repository_bytes", "What all backups take.", (), [((), stored)])
    room = Metric(
        f"{PREFIX}repository_available_bytes", "What is free on the repository's disk, or holds backups of jobs."
    )
    room.add(None if status.room is None else status.room.available)
    needed = Metric(f"{PREFIX}repository_needed_bytes", "What the jobs' policies, a run and `min_free` come to.")
    needed.add(None if status.room is None else status.room.policy + status.room.run + status.room.floor)
    return [backups, size, room, needed]


def _of_jobs(status: Status, manifests: Sequence[Manifest]) -> list[Metric]:
    found = []
    for name, attribute, text in _JOB_TIMES:
        metric = Metric(f"{PREFIX}job_{name}_timestamp_seconds", text, ("backup_job",))
        for job in status.jobs:
            metric.add(_timestamp(getattr(job, attribute)), job.name)
        found.append(metric)
    verified = Metric(
        f"{PREFIX}job_last_verified_timestamp_seconds",
        "Start of the newest backup that counts and was read back and found sound.",
        ("backup_job",),
    )
    phases = Metric(
        f"{PREFIX}job_phase_seconds", "How long each phase of the newest backup took.", ("backup_job", "phase")
    )
    for job in status.jobs:
        own = [item for item in manifests if item.job == job.name and item.started <= parse_time(status.written_at)]
        sound = [item for item in own if item.verified and item.good]
        verified.add(sound[-1].started.timestamp() if sound else None, job.name)
        for phase, seconds in (own[-1].seconds if own else {}).items():
            phases.add(seconds, job.name, phase)
    return [*found, verified, phases, *_of_runs(status, manifests)]


def _of_runs(status: Status, manifests: Sequence[Manifest]) -> list[Metric]:
    """Return how each job's last run ended; a run by hand is heard of while it is the newest, as in `status`."""
    labels = ("backup_job",)
    ended = Metric(f"{PREFIX}job_last_run_timestamp_seconds", "End of the job's last run, however it ended.", labels)
    exit_code = Metric(f"{PREFIX}job_last_run_exit_code", "Its exit code; 0 is well, 3 is incomplete.", labels)
    failed = Metric(f"{PREFIX}job_failed", "1 where that was not well, and nobody has accepted it.", labels)
    accepted = {item.id for item in manifests if item.accepted and item.good}
    for run in heard_runs(status.runs, {job.name for job in status.jobs if job.schedule is not None}):
        ended.add(_timestamp(run.finished_at), run.job)
        exit_code.add(run.exit_code, run.job)
        failed.add(int(run.exit_code != 0 and run.id not in accepted), run.job)
    return [ended, exit_code, failed]


def _of_copies(status: Status) -> list[Metric]:
    labels = ("copy", "backup_job")
    newest = Metric(f"{PREFIX}copy_newest_timestamp_seconds", "Start of the newest backup that is in the copy.", labels)
    behind = Metric(f"{PREFIX}copy_behind", "1 where a newer one should be there.", labels)
    for copy in status.copies:
        newest.add(None if copy.backup is None else started(copy.backup).timestamp(), copy.name, copy.job)
        behind.add(int(copy.behind), copy.name, copy.job)
    return [newest, behind]


def _of_sources(status: Status, manifests: Sequence[Manifest], now: datetime) -> list[Metric]:
    facts = by_source(manifests, {job.name for job in status.jobs}, now)
    labels = ("source", "type")
    last = Metric(f"{PREFIX}source_last_verified_timestamp_seconds", "Moment of the newest sound copy.", labels)
    for source in facts:
        if source.verified is not None:
            artifact = source.verified.artifact
            last.add(_timestamp(artifact.snapshot_at), source.name, artifact.type)
    found = [last]
    for name, text, value in _OF_ARTIFACTS:
        metric = Metric(f"{PREFIX}source_{name}", text, labels)
        for source in facts:
            if source.newest is not None:
                metric.add(value(source.newest.artifact), source.name, source.newest.artifact.type)
        found.append(metric)
    return found


def _timestamp(moment: str | None) -> float | None:
    return None if moment is None else parse_time(moment).timestamp()
