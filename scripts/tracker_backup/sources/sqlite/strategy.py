"""Decide how a database is copied, from facts alone: what it costs the tracker, and what the configuration allows."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from tracker_backup.errors import SourceError

PINNED, CLONE, PAUSED, RECOVERED = "pinned", "clone", "paused", "recovered"
RUNNING, STOPPED, NOT_ASKED = "running", "stopped", "not asked"

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Facts:
    """What is known of a database before it is touched.

    `rate` is in bytes per second, of the last copy or of a trial. `clones`: it and staging are on one file system that
    shares blocks, which held the lock for `clone_seconds` the last time. `recovery`: why it can only be recovered in
    staging. `service` is `running`, `stopped`, or a sentence that says why its container cannot be paused.
    """

    path: str
    wal_mode: bool
    mount: str
    raw_bytes: int
    rate: float
    clones: bool
    recovery: str | None
    service: str
    clone_seconds: float = 0.1

    @property
    def seconds(self) -> float:
        """How long a copy is expected to take."""
        return self.raw_bytes / self.rate


@dataclass(frozen=True)
class Limits:
    """What a copy may cost the tracker; `when_busy` is `pause` or `refuse`."""

    max_write_stall_seconds: float
    max_pause_seconds: float
    when_busy: str


@dataclass(frozen=True)
class Plan:
    """How a database is copied: `limit_seconds` is how long its lock may be held, None where nobody waits for it.

    `predicted_seconds` is for the whole copy, of which writers wait for `stall_seconds`, or are frozen for
    `pause_seconds`.
    """

    method: str
    limit_seconds: float | None
    predicted_seconds: float
    stall_seconds: float = 0.0
    pause_seconds: float = 0.0


def plan_copy(facts: Facts, limits: Limits) -> Plan:
    """Choose the way of copying that costs the tracker least.

    Raises SourceError, with the ways out, where none is open that costs it little enough.
    """
    if facts.wal_mode and facts.mount == "file":
        raise SourceError(
            f"{facts.path} is in WAL mode and its container sees this single file only: its newest rows lie in a -wal "
            "file inside the container, where the host cannot see them",
            hint="mount the directory that holds the database instead of the file",
        )
    seconds = facts.seconds
    if facts.recovery is not None:
        return Plan(RECOVERED, None, seconds)
    if clones_in_time(facts, limits):
        stall = 0.0 if facts.wal_mode else facts.clone_seconds
        limit = None if facts.wal_mode else limits.max_write_stall_seconds
        return Plan(CLONE, limit, facts.clone_seconds, stall_seconds=stall)
    if facts.wal_mode:
        return Plan(PINNED, None, seconds)
    if seconds <= limits.max_write_stall_seconds:
        return Plan(PINNED, limits.max_write_stall_seconds, seconds, stall_seconds=seconds)
    if facts.service == STOPPED and seconds <= limits.max_pause_seconds:
        return Plan(PINNED, limits.max_pause_seconds, seconds)  # nobody is there who could wait
    if limits.when_busy == "pause" and facts.service == RUNNING and seconds <= limits.max_pause_seconds:
        return Plan(PAUSED, limits.max_pause_seconds, seconds, pause_seconds=seconds)
    raise _refusal(facts, limits)


def clones_in_time(facts: Facts, limits: Limits) -> bool:
    """Return whether a clone may be tried: it cannot be interrupted, so the last one's seconds decide."""
    return facts.clones and (facts.wal_mode or facts.clone_seconds <= limits.max_write_stall_seconds)


def ways_out(path: str) -> str:
    """Say what can be done about a rollback-mode database that is too large to be copied within the limits."""
    return (
        f"switch it to WAL once, which works while the tracker runs: {switch_command(path)} "
        "(or let `sqlite_journal_mode: wal` do it); or raise the limit; or keep it, and `staging`, on one XFS or btrfs"
    )


def _refusal(facts: Facts, limits: Limits) -> SourceError:
    what = (
        f"{facts.path} has a rollback journal and {facts.raw_bytes / _MIB:.0f} MiB: copying it would stop the "
        f"tracker's writes for {facts.seconds:.1f} s, and max_write_stall_seconds is {limits.max_write_stall_seconds:g}"
    )
    if limits.when_busy != "pause":
        why = "sqlite_when_busy is refuse"
    elif facts.service in (RUNNING, STOPPED):
        why = f"max_pause_seconds is {limits.max_pause_seconds:g}"
    else:
        why = f"its service cannot be paused: {facts.service}"
    return SourceError(f"{what}; {why}", hint=ways_out(facts.path))


def switch_command(path: str) -> str:
    """Return the shell command that puts a database into WAL mode, for people to copy."""
    return f"sqlite3 {shlex.quote(path)} 'PRAGMA journal_mode=WAL'"
