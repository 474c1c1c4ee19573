"""How the newest run of each job ended: one job's success must not hide that another one has failed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tracker_backup.config.model import Config


@dataclass(frozen=True)
class LastRun:
    """How a run ended; times in UTC (RFC 3339). `job` is `manual` where a person named sources."""

    job: str
    id: str | None
    finished_at: str
    exit_code: int
    message: str


def with_run(before: Sequence[LastRun], ended: LastRun | None) -> tuple[LastRun, ...]:
    """Return the newest run of each job, in the order in which they ended, once another one has."""
    if ended is None:
        return tuple(before)
    return (*(run for run in before if run.job != ended.job), ended)


def failed_runs(config: Config, runs: Sequence[LastRun], accepted: Collection[str]) -> list[LastRun]:
    """Return the newest runs that failed, but for those whose backup, one of `accepted`, was said to be right.

    A job that has no schedule, or is configured no more, is heard of while its run is the newest of all: nothing would
    ever follow it by itself.
    """
    scheduled = {job.name for job in config.jobs if job.schedule is not None}
    heard = [run for run in runs if run.job in scheduled or run is runs[-1]]
    return [run for run in heard if run.exit_code != 0 and run.id not in accepted]


def runs_to_json(runs: Sequence[LastRun]) -> list[dict[str, Any]]:
    """Return them as status.json holds them."""
    return [asdict(run) for run in runs]


def runs_from_json(document: dict[str, Any]) -> tuple[LastRun, ...]:
    """Read them from a status; one of an earlier version has the newest run only."""
    last_run = document["last_run"]
    known = document.get("last_runs", [] if last_run is None else [last_run])
    return tuple(LastRun(**run) for run in known)
