"""The tracker stand-in: other tests trust its databases, its writer and its verdict."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from support import tracker_standin
from support.tracker_standin import Latencies, WriteLoop, Writer, build_database, check_invariant, main


def _query(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


@pytest.mark.parametrize("order", ["random", "sorted"])
def test_build_makes_the_size_asked_for(tmp_path: Path, order: str) -> None:
    rows = build_database(tmp_path / "tracker.db", mib=2, order=order)

    assert 2 * 1024**2 <= (tmp_path / "tracker.db").stat().st_size < 2.2 * 1024**2
    assert check_invariant(tmp_path / "tracker.db", integrity=True) == {
        "ok": True, "rows": rows, "completed": 0, "counter": 0, "integrity": "ok"
    }  # fmt: skip


@pytest.mark.parametrize("order", ["random", "sorted"])
@pytest.mark.parametrize("rows", [1, 500, 20_001])
def test_build_makes_the_rows_asked_for(tmp_path: Path, order: str, rows: int) -> None:
    assert build_database(tmp_path / "tracker.db", order=order, rows=rows) == rows

    assert check_invariant(tmp_path / "tracker.db", integrity=True, cache_mib=1)["rows"] == rows


def test_build_orders_hashes_as_asked(tmp_path: Path) -> None:
    build_database(tmp_path / "random.db", mib=0.2, order="random")
    build_database(tmp_path / "sorted.db", mib=0.2, order="sorted")

    hashes = {
        name: _query(tmp_path / f"{name}.db", "SELECT info_hash FROM torrents ORDER BY id")
        for name in ("random", "sorted")
    }
    assert hashes["sorted"] == sorted(hashes["sorted"])
    assert hashes["random"] != sorted(hashes["random"])
    assert all(len(str(row[0])) == 40 for rows in hashes.values() for row in rows)


def test_build_without_size_is_the_empty_schema(tmp_path: Path) -> None:
    assert build_database(tmp_path / "tracker.db", mib=0) == 0

    tables = {row[0] for row in _query(tmp_path / "tracker.db", "SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables >= {"torrents", "whitelist", "keys", "torrent_aggregate_metrics"}


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_build_leaves_the_journal_mode_asked_for(tmp_path: Path, mode: str) -> None:
    build_database(tmp_path / "tracker.db", mib=0.1, journal_mode=mode)

    assert _query(tmp_path / "tracker.db", "PRAGMA journal_mode") == [(mode,)]


def test_build_is_repeatable_and_varies_with_the_seed(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        build_database(tmp_path / name, mib=0.1, seed=seed)

    statement = "SELECT info_hash FROM torrents ORDER BY id LIMIT 5"
    assert _query(tmp_path / "a", statement) == _query(tmp_path / "b", statement)
    assert _query(tmp_path / "a", statement) != _query(tmp_path / "c", statement)


def test_build_does_not_touch_an_existing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tracker.db"
    path.write_text("mine")

    assert main(["build", str(path)]) == 1
    assert path.read_text() == "mine"
    assert "exists already" in capsys.readouterr().err


def test_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.Error):
        build_database(tmp_path / "tracker.db", mib=0, journal_mode="no such mode")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_every_transaction_is_in_the_database(tmp_path: Path, mode: str) -> None:
    """Two writers, one after the other: the counter is the sum of what both of them committed."""
    path = tmp_path / "tracker.db"
    build_database(path, mib=0.1, journal_mode=mode)

    reports = []
    for _ in range(2):
        with Writer(path, rate=500) as writer:
            while writer.report()["transactions"] == 0:
                pass
        reports.append(writer.report())

    result = check_invariant(path)
    assert result["ok"]
    assert result["counter"] == sum(report["transactions"] for report in reports) > 0
    assert all(report["finished"] and report["failed"] == 0 and report["errors"] == {} for report in reports)


def test_write_ends_by_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tracker.db"
    build_database(path, mib=0)
    command = [
        sys.executable,
        tracker_standin.__file__,
        "write",
        str(path),
        "--rate",
        "200",
        "--seconds",
        "0.2",
    ]

    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert report["transactions"] == check_invariant(path)["counter"] > 0
    assert 0 < report["p50_ms"] <= report["p99_ms"] <= report["max_ms"]


def test_failed_writes_are_counted_with_their_messages(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    build_database(path, mib=0)

    with Writer(path, rate=100, busy_timeout=0) as writer, closing(sqlite3.connect(path)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        while writer.report()["failed"] == 0:
            pass
        blocker.execute("ROLLBACK")
    report = writer.stop()

    assert report["errors"] == {"database is locked": report["failed"]}
    assert check_invariant(path)["counter"] == report["transactions"]


def test_an_observer_is_told_of_every_transaction(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    build_database(path, mib=0)
    told: list[tuple[float, bool]] = []

    loop = WriteLoop(path, 50, None, 0, lambda milliseconds, committed: told.append((milliseconds, committed)))
    with closing(sqlite3.connect(path)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        loop._count_one()
    report = loop.run(1)

    assert [committed for _, committed in told] == [False, *[True] * (len(told) - 1)]
    assert len(told) - 1 == report["transactions"] > 0
    assert max(milliseconds for milliseconds, _ in told) == pytest.approx(report["max_ms"], abs=0.001)


def test_writer_says_why_it_cannot_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="unable to open database file"), Writer(tmp_path / "missing.db"):
        pass

    assert not (tmp_path / "missing.db").exists()


def test_check_sees_half_a_transaction(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tracker.db"
    build_database(path, mib=0.1)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE torrents SET completed = 1 WHERE id = 1")

    assert main(["check", str(path)]) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False


@pytest.mark.parametrize("content", [None, b"", b"not a database, whatever its name may say"])
def test_check_of_something_else_is_not_ok(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "tracker.db"
    if content is not None:
        path.write_bytes(content)

    result = check_invariant(path)
    assert not result["ok"]
    assert result["error"]
    assert path.exists() == (content is not None)


def test_percentiles_come_close_to_the_truth() -> None:
    latencies = Latencies()
    for milliseconds in range(1, 1001):
        latencies.add(float(milliseconds))

    assert latencies.percentile(50) == pytest.approx(500, rel=0.02)
    assert latencies.percentile(99) == pytest.approx(990, rel=0.02)
    assert latencies.max_ms == 1000
    assert Latencies().percentile(50) == 0
