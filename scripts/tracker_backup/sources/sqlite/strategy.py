"""Decide how a database is copied, from facts alone."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from tracker_backup.errors import SourceError

ASSUMED_RATE = 200 * 1024 * 1024
"""Bytes per second that a copy is taken to make where none was measured yet."""

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Plan:
    """How a database is copied: `stall_limit_seconds` is None where the tracker's writes go on meanwhile."""

    method: str
    stall_limit_seconds: float | None
    predicted_seconds: float


def plan_copy(
    *, path: str, wal_mode: bool, mount: str, raw_bytes: int, rate: float | None, max_write_stall_seconds: float
) -> Plan:
    """Choose the way of copying a database of `raw_bytes` bytes; `rate` is the last copy's, in bytes per second.

    Raises SourceError, with the ways out, where none of the ways that cost the tracker little enough is open.
    """
    predicted = raw_bytes / (rate or ASSUMED_RATE)
    if wal_mode and mount == "file":
        raise SourceError(
            f"{path} is in WAL mode and its container sees this single file only: its newest rows lie in a -wal file "
            "inside the container, where the host cannot see them",
            hint="mount the directory that holds the database instead of the file",
        )
    if wal_mode:
        return Plan("pinned", None, predicted)
    if predicted > max_write_stall_seconds:
        raise SourceError(
            f"{path} has a rollback journal and {raw_bytes / _MIB:.0f} MiB: copying it would stop the tracker's writes "
            f"for about {predicted:.1f} s, and max_write_stall_seconds is {max_write_stall_seconds:g}",
            hint=ways_out(path),
        )
    return Plan("pinned", max_write_stall_seconds, predicted)


def ways_out(path: str) -> str:
    """Say what can be done about a rollback-mode database that is too large to be copied within the stall limit."""
    return (
        f"switch it to WAL once, which works while the tracker runs: {switch_command(path)}; "
        "or raise max_write_stall_seconds"
    )


def switch_command(path: str) -> str:
    """Return the shell command that puts a database into WAL mode, for people to copy."""
    return f"sqlite3 {shlex.quote(path)} 'PRAGMA journal_mode=WAL'"
