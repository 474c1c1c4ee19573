"""How the newest run of each job ended: one job's success must not hide that another one has failed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from tracker_backup.repository.manifest import format_time
from tracker_backup.system.records import made

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from tracker_backup.config.model import Config

_UNTIL = ": it counts for nothing and displaces nothing until "


@dataclass(frozen=True)
class LastRun:
    """How a run ended; times in UTC (RFC 3339). `job` is `manual` where a person named sources.

    `copies_only` says that nothing was wrong with it but copies elsewhere, which may be made good.
    """

    job: str
    id: str | None
    finished_at: str
    exit_code: int
    message: str
    copies_only: bool = False


def healed(run: LastRun, now: datetime) -> LastRun:
    """Return a run that was bad for its copies alone, once they are there."""
    return LastRun(run.job, run.id, format_time(now), 0, "every copy elsewhere is in place")


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
    heard = heard_runs(runs, {job.name for job in config.jobs if job.schedule is not None})
    return [run for run in heard if run.exit_code != 0 and run.id not in accepted]


def heard_runs(runs: Sequence[LastRun], scheduled: Collection[str]) -> list[LastRun]:
    """Return the runs of scheduled jobs, and the newest of all."""
    return [run for run in runs if run.job in scheduled or run is runs[-1]]


def until_accepted(command: str) -> str:
    """Return what is said of a backup whose size has dropped, behind the sizes; `command` accepts it."""
    return f"{_UNTIL}{command}"


def as_accepted(run: LastRun) -> LastRun:
    """Return a run whose backup was said to be right, without the words that this is still to be done."""
    before, found, after = run.message.partition(_UNTIL)
    if not found:
        return run
    return replace(run, message=f"{before}, accepted since{after.partition(f'accept {run.id}')[2]}")


def runs_to_json(runs: Sequence[LastRun]) -> list[dict[str, Any]]:
    """Return them as status.json holds them."""
    return [asdict(run) for run in runs]


def runs_from_json(document: dict[str, Any]) -> tuple[LastRun, ...]:
    """Read them from a status; one of an earlier version has the newest run only."""
    last_run = document["last_run"]
    known = document.get("last_runs", [] if last_run is None else [last_run])
    return tuple(made(LastRun, run) for run in known)
