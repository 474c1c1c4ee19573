"""What a status page shows, as plain values; times are UTC (RFC 3339), sizes bytes, durations seconds."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARNING, CRITICAL, UNKNOWN = "OK", "WARNING", "CRITICAL", "UNKNOWN"

IN_TIME, LATE, OVERDUE, NEVER, UNSCHEDULED = "in time", "late", "overdue", "none yet", "no schedule"
"""How the age of a newest backup stands against its schedule."""

THERE, BEHIND = "up to date", "behind"
"""How a copy elsewhere stands."""


@dataclass(frozen=True)
class Problem:
    """Something that is not as it should be; `level` is one of the states."""

    level: str
    text: str


@dataclass(frozen=True)
class JobRow:
    """A job: its newest backup that counts, and how its age stands against the schedule."""

    name: str
    schedule: str | None
    verdict: str
    last_id: str | None
    last_at: str | None
    next_run: str | None
    late_after: str | None
    overdue_after: str | None


@dataclass(frozen=True)
class SourceRow:
    """A source: the newest backup with a good copy of it, and what its newest copy is, and has cost."""

    name: str
    type: str
    place: str
    verdict: str
    last_id: str | None
    last_at: str | None
    newest_state: str
    check: str
    raw_bytes: int
    stored_bytes: int
    write_stall_seconds: float
    pause_seconds: float


@dataclass(frozen=True)
class CopyRow:
    """A job's copies in a restic or borg repository: the newest backup that is there."""

    name: str
    job: str
    verdict: str
    last_id: str | None
    last_at: str | None


@dataclass(frozen=True)
class Taken:
    """A backup of the past: `good` says whether it counts, `note` why not, `phases` how long each part of it took."""

    id: str
    job: str
    started_at: str
    state: str
    good: bool
    note: str
    phases: tuple[tuple[str, float], ...]
    raw_bytes: int
    stored_bytes: int
    write_stall_seconds: float
    pause_seconds: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return sum(seconds for _, seconds in self.phases)


@dataclass(frozen=True)
class InstanceView:
    """One instance; `written_at` is set where it is shown as it was last written, which has no sources and no past."""

    name: str
    state: str
    problems: tuple[Problem, ...] = ()
    jobs: tuple[JobRow, ...] = ()
    sources: tuple[SourceRow, ...] = ()
    past: tuple[Taken, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    written_at: str | None = None
    copies: tuple[CopyRow, ...] = ()


@dataclass(frozen=True)
class Page:
    """All of a page: whose it is, when it was made, and each instance, `state` the worst of theirs."""

    host: str
    made_at: str
    version: str
    state: str
    instances: tuple[InstanceView, ...]
