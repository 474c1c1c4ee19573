"""A database with a rollback journal is copied within the stall limit, or not at all."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from support.copying import copy_of, verdict_on
from support.databases import tracker_database
from support.sqlite_world import OtherProcess, locks_of
from support.tracker_standin import Writer, check_invariant
from tracker_backup.errors import SourceError, TooSlowError
from tracker_backup.sources.sqlite import copy as copying


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return a tracker's database of 2 MiB with a rollback journal."""
    return tracker_database(tmp_path / "tracker.db", 2, journal_mode="delete")


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a small database be copied in many steps."""
    monkeypatch.setattr(copying, "LOCKED_CHUNK_BYTES", 64 * 1024)


@pytest.mark.guarantee(6)
def test_a_small_database_is_copied_under_a_writer(tmp_path: Path, database: Path) -> None:
    with Writer(database) as writer:
        snapshot = copy_of(database, tmp_path, max_write_stall_seconds=60)
        report = writer.stop()

    assert report["failed"] == 0
    assert check_invariant(snapshot.path, integrity=True)["ok"]
    assert 0 < snapshot.write_stall_seconds < 60
    assert snapshot.engine["journal_mode"] == "rollback"
    assert snapshot.engine["restarts"] == 0


@pytest.mark.guarantee(6)
def test_what_is_predicted_to_take_too_long_is_refused_without_a_lock(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the last run's rate, 2 MiB take 20 s; SQLite is not even asked to open the file."""
    monkeypatch.setattr(copying, "open_source", lambda _database: pytest.fail("the database was opened"))

    with pytest.raises(SourceError, match=r"would stop the tracker's writes for 2\d\.\d s") as raised:
        copy_of(database, tmp_path, last_rate=100_000)

    assert "PRAGMA journal_mode=WAL" in str(raised.value)
    assert "max_write_stall_seconds" in str(raised.value)


@pytest.mark.guarantee(6, 16)
@pytest.mark.usefixtures("small_steps")
def test_a_copy_that_passes_the_limit_is_given_up_and_the_writer_goes_on(tmp_path: Path, database: Path) -> None:
    with Writer(database, busy_timeout=30) as writer:
        with pytest.raises(TooSlowError, match=r"could not be copied in the 0\.5 s for which") as raised:
            copy_of(database, tmp_path, lambda _done, _total: time.sleep(0.1), max_write_stall_seconds=0.5)
        assert locks_of(os.getpid(), database) == []
        before = writer.report()["transactions"]
        give_up = time.monotonic() + 60
        while writer.report()["transactions"] <= before + 1:
            assert time.monotonic() < give_up, "the writer stands still"
            time.sleep(0.05)
        assert writer.stop()["failed"] == 0

    assert "PRAGMA journal_mode=WAL" in str(raised.value)
    assert 0 < raised.value.rate < database.stat().st_size / 0.5, "what it made, for the next prediction"
    assert check_invariant(database, integrity=True)["ok"]


@pytest.mark.usefixtures("small_steps")
def test_the_limit_is_for_copying_not_for_waiting(tmp_path: Path, database: Path) -> None:
    """Waiting for a busy writer's lock stalls nobody; and what was waited is no measure of the next copy."""
    with OtherProcess(database) as tracker:
        tracker.run("BEGIN EXCLUSIVE")
        release = threading.Timer(5, lambda: tracker.run("COMMIT"))
        release.start()
        snapshot = copy_of(database, tmp_path, max_write_stall_seconds=4)
        release.join()

    assert verdict_on(snapshot.path).ok is True
    assert snapshot.write_stall_seconds < 5, "less than what was waited"
    assert snapshot.seconds < 5


def test_a_lock_that_never_comes_is_an_error_that_names_the_cause(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "LOCK_TIMEOUT_SECONDS", 0.3)
    with OtherProcess(database) as tracker:
        tracker.run("PRAGMA locking_mode=EXCLUSIVE", "UPDATE torrents SET completed = 0 WHERE id = 1")

        with pytest.raises(SourceError, match="is locked by another program") as raised:
            copy_of(database, tmp_path)

    assert "locking_mode=EXCLUSIVE" in str(raised.value)


def test_nothing_is_flushed_and_no_rate_limit_waits_while_writers_wait(
    tmp_path: Path, database: Path, small_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying.Flusher, "wrote", lambda *_: pytest.fail("flushed under the lock"))

    snapshot = copy_of(database, tmp_path, rate_limit_bytes_per_second=1, max_write_stall_seconds=60)

    assert verdict_on(snapshot.path).ok is True


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize(
    "statement",
    [
        "VACUUM",
        "PRAGMA journal_mode=WAL",
        "PRAGMA journal_mode=TRUNCATE",
        "ALTER TABLE keys ADD COLUMN note TEXT",
        "DELETE FROM torrents",
    ],
)
def test_what_another_process_does_under_the_lock_waits_or_changes_nothing(
    tmp_path: Path, database: Path, statement: str
) -> None:
    with OtherProcess(database, timeout=0.1) as tracker:
        rows = tracker.run("SELECT count(*) FROM torrents")[0][0]
        answers: list[object] = []

        def act(_done: int, _total: int) -> None:
            if not answers:
                try:
                    answers.append(tracker.run(statement))
                except AssertionError as error:
                    answers.append(str(error))

        snapshot = copy_of(database, tmp_path, act, max_write_stall_seconds=60)

    assert answers in (["database is locked"], [[["truncate"]]])
    assert snapshot.engine["restarts"] == 0
    assert check_invariant(snapshot.path, integrity=True) == {
        "ok": True, "rows": rows, "completed": 0, "counter": 0, "integrity": "ok"
    }  # fmt: skip


def test_a_database_is_copied_in_the_mode_it_has_now(tmp_path: Path, database: Path) -> None:
    """The mode is looked at anew in each run, as the hint's way out needs it."""
    with OtherProcess(database) as tracker:
        tracker.run("PRAGMA journal_mode=WAL", "UPDATE torrents SET completed = 0")
        snapshot = copy_of(database, tmp_path, last_rate=1)

        assert snapshot.engine["journal_mode"] == "wal"
        assert snapshot.write_stall_seconds == 0


def test_one_that_leaves_wal_mode_at_the_last_moment_is_refused(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copied as planned, it would hold up the tracker for as long as the copy takes."""
    with OtherProcess(database) as tracker:
        tracker.run("PRAGMA journal_mode=WAL")
        open_source = copying.open_source

        def open_late(*arguments: object) -> sqlite3.Connection:
            tracker.run("PRAGMA journal_mode=DELETE")
            return open_source(*arguments)

        monkeypatch.setattr(copying, "open_source", open_late)
        with pytest.raises(SourceError, match="has left WAL mode"):
            copy_of(database, tmp_path)
    assert locks_of(os.getpid(), database) == []
