"""How a database is copied follows from facts alone: every row of the table, its price and its refusals."""

from __future__ import annotations

from typing import Any

import pytest

from tracker_backup.errors import SourceError
from tracker_backup.sources.sqlite.strategy import (
    CLONE,
    NOT_ASKED,
    PAUSED,
    PINNED,
    RECOVERED,
    RUNNING,
    STOPPED,
    Facts,
    Limits,
    Plan,
    plan_copy,
)

MIB = 1024**2
SECOND, MINUTE = 50 * MIB, 3000 * MIB
"""How much is copied in that time at the usual rate."""


def facts(**changes: Any) -> Facts:
    """Return the facts of a database with a rollback journal that takes a second, but for `changes`."""
    usual: dict[str, Any] = {
        "path": "/data/tracker.db", "wal_mode": False, "mount": "directory", "raw_bytes": SECOND, "rate": SECOND,
        "clones": False, "recovery": None, "service": RUNNING,
    }  # fmt: skip
    return Facts(**{**usual, **changes})


def plan(when_busy: str = "pause", **changes: Any) -> Plan:
    """Plan a copy with the limits that are set where nobody sets any."""
    return plan_copy(facts(**changes), Limits(2, 120, when_busy))


ROWS = {
    "WAL, however large": ({"wal_mode": True, "raw_bytes": 10**13}, Plan(PINNED, None, 10**13 / SECOND)),
    "a clone in WAL mode": ({"wal_mode": True, "clones": True, "raw_bytes": MINUTE}, Plan(CLONE, None, 0.1)),
    "a clone with a rollback journal": ({"clones": True, "raw_bytes": 10**13}, Plan(CLONE, 2, 0.1, 0.1)),
    "a clone that took too long the last time": (
        {"clones": True, "clone_seconds": 2.1}, Plan(PINNED, 2, 1, stall_seconds=1)
    ),
    "the same in WAL mode": (
        {"clones": True, "clone_seconds": 2.1, "wal_mode": True}, Plan(CLONE, None, 2.1)
    ),
    "it fits into the stall limit": ({}, Plan(PINNED, 2, 1, stall_seconds=1)),
    "it just fits": ({"raw_bytes": 2 * SECOND}, Plan(PINNED, 2, 2, stall_seconds=2)),
    "larger, and it runs": ({"raw_bytes": MINUTE}, Plan(PAUSED, 120, 60, pause_seconds=60)),
    "larger, just short enough": ({"raw_bytes": 2 * MINUTE}, Plan(PAUSED, 120, 120, pause_seconds=120)),
    "larger, and nobody runs": ({"raw_bytes": MINUTE, "service": STOPPED}, Plan(PINNED, 120, 60)),
    "a hot journal": ({"recovery": "hot journal", "raw_bytes": MINUTE}, Plan(RECOVERED, None, 60)),
    "a hot journal where blocks are shared": ({"recovery": "hot journal", "clones": True}, Plan(RECOVERED, None, 1)),
    "WAL on a read-only mount": ({"recovery": "read-only mount", "wal_mode": True}, Plan(RECOVERED, None, 1)),
    "a mounted file with a rollback journal": ({"mount": "file"}, Plan(PINNED, 2, 1, stall_seconds=1)),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_every_row_of_the_table(row: str) -> None:
    changes, expected = ROWS[row]

    assert plan(**changes) == expected


@pytest.mark.parametrize("row", [row for row, (_, expected) in ROWS.items() if not expected.pause_seconds])
def test_refuse_refuses_the_pause_only(row: str) -> None:
    changes, expected = ROWS[row]

    assert plan("refuse", **changes) == expected


@pytest.mark.parametrize(
    ("when_busy", "changes", "why"),
    [
        ("refuse", {"raw_bytes": MINUTE}, "sqlite_when_busy is refuse"),
        ("pause", {"raw_bytes": 3 * MINUTE}, "max_pause_seconds is 120"),
        ("pause", {"raw_bytes": 3 * MINUTE, "service": STOPPED}, "max_pause_seconds is 120"),
        ("pause", {"raw_bytes": MINUTE, "service": "no docker"}, "its service cannot be paused: no docker"),
        ("pause", {"raw_bytes": MINUTE, "service": NOT_ASKED}, "its service cannot be paused"),
    ],
)
def test_what_costs_too_much_is_refused_with_the_price_and_the_reason(
    when_busy: str, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(SourceError) as raised:
        plan(when_busy, **changes)

    seconds = changes["raw_bytes"] / SECOND
    assert f"would stop the tracker's writes for {seconds:.1f} s" in raised.value.message
    assert "max_write_stall_seconds is 2" in raised.value.message
    assert why in raised.value.message
    assert raised.value.hint is not None
    for way in ("PRAGMA journal_mode=WAL", "sqlite_journal_mode: wal", "raise the limit", "XFS or btrfs"):
        assert way in raised.value.hint


@pytest.mark.parametrize("changes", [{}, {"clones": True}, {"recovery": "read-only mount"}])
def test_a_mounted_file_in_wal_mode_is_refused_whatever_else_is_true(changes: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match="where the host cannot see them") as raised:
        plan(wal_mode=True, mount="file", **changes)

    assert raised.value.hint == "mount the directory that holds the database instead of the file"


@pytest.mark.parametrize(("rate", "method"), [(26 * MIB, PINNED), (25 * MIB, PINNED), (24 * MIB, PAUSED)])
def test_the_rate_decides_what_fits(rate: float, method: str) -> None:
    assert plan(rate=rate).method == method


@pytest.mark.parametrize("seconds", [1, 60])
def test_nobody_is_paused_who_need_not_be(seconds: float) -> None:
    """A larger limit is a choice: then the tracker waits, and its container goes on."""
    chosen = plan_copy(facts(raw_bytes=int(seconds * SECOND)), Limits(60, 120, "pause"))

    assert chosen == Plan(PINNED, 60, seconds, stall_seconds=seconds)


def test_the_ways_out_can_be_copied_into_a_shell() -> None:
    """A path with a quote in it, too."""
    with pytest.raises(SourceError) as raised:
        plan("refuse", rate=1, path="/data/it's here.db")

    assert """sqlite3 '/data/it'"'"'s here.db' 'PRAGMA journal_mode=WAL'""" in str(raised.value)
