"""How a database is copied follows from facts alone."""

from __future__ import annotations

from typing import Any

import pytest

from tracker_backup.errors import SourceError
from tracker_backup.sources.sqlite.strategy import ASSUMED_RATE, Plan, plan_copy

MIB = 1024**2


def plan(**facts: Any) -> Plan:
    """Plan the copy of a database of 100 MiB in WAL mode, but for `facts`."""
    usual: dict[str, Any] = {
        "path": "/data/tracker.db", "wal_mode": True, "mount": "directory", "raw_bytes": 100 * MIB, "rate": None,
        "max_write_stall_seconds": 2,
    }  # fmt: skip
    return plan_copy(**{**usual, **facts})


def test_wal_mode_costs_nothing_however_large() -> None:
    assert plan(raw_bytes=10**13) == Plan("pinned", None, 10**13 / ASSUMED_RATE)


def test_a_rollback_journal_is_copied_within_the_limit() -> None:
    assert plan(wal_mode=False) == Plan("pinned", 2, 0.5)


@pytest.mark.parametrize(("rate", "fits"), [(None, True), (51 * MIB, True), (50 * MIB, True), (49 * MIB, False)])
def test_the_last_rate_decides_whether_it_fits(rate: float | None, fits: bool) -> None:
    if fits:
        assert plan(wal_mode=False, rate=rate).stall_limit_seconds == 2
        return
    with pytest.raises(SourceError, match=r"100 MiB: copying it would stop the tracker's writes for about 2\.0 s"):
        plan(wal_mode=False, rate=rate)


@pytest.mark.parametrize(("wal_mode", "refused"), [(True, True), (False, False)])
def test_a_mounted_file_is_refused_in_wal_mode_only(wal_mode: bool, refused: bool) -> None:
    if not refused:
        assert plan(wal_mode=wal_mode, mount="file").method == "pinned"
        return
    with pytest.raises(SourceError, match="where the host cannot see them"):
        plan(wal_mode=wal_mode, mount="file")


def test_the_ways_out_can_be_copied_into_a_shell() -> None:
    """A path with a quote in it, too."""
    with pytest.raises(SourceError) as raised:
        plan(wal_mode=False, rate=1, path="/data/it's here.db")

    assert """sqlite3 '/data/it'"'"'s here.db' 'PRAGMA journal_mode=WAL'""" in str(raised.value)
