"""The copy is the pinned snapshot, byte for byte, whatever others do to the database meanwhile."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from support.copying import copy_of, verdict_on
from support.databases import tracker_database
from support.program import wait_until
from support.small_disk import fill, needs_root, small_disk
from support.sqlite_world import FREE_BYTES_OF_PAGE_1, OtherProcess, differing_bytes, expected_pages, locks_of
from support.tracker_standin import Writer, build_database, check_invariant
from tracker_backup.errors import DeadlineError, SourceError, TooSlowError
from tracker_backup.sources.sqlite import copy as copying

ROOT = Path(__file__).resolve().parents[3]
OPENS = """
import sys, time
from pathlib import Path
sys.path[:0] = [sys.argv[1] + "/scripts", sys.argv[1] + "/tests"]
from support.copying import copy_of
from tracker_backup.sources.sqlite import copy
copy.CHUNK_BYTES = copy.LOCKED_CHUNK_BYTES = 65536
source, into = Path(sys.argv[2]), Path(sys.argv[3])
events, watched = [], [str(source) + suffix for suffix in ("", "-wal", "-journal")]
def note(event, arguments):
    if event == "sqlite3.connect" and str(source.name) in str(arguments[0]):
        events.append("connect")
    if event == "open" and str(arguments[0]) in watched:
        events.append("open " + str(arguments[0]))
sys.addaudithook(note)
steps = []
copy_of(source, into, lambda done, total: steps.append(done))
print(len(steps) > 10, events[events.index("connect") + 1:])
"""


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small databases be copied in many steps."""
    monkeypatch.setattr(copying, "CHUNK_BYTES", 64 * 1024)
    monkeypatch.setattr(copying, "WATCHED_BYTES", 64 * 1024)
    monkeypatch.setattr(copying, "LOCKED_CHUNK_BYTES", 64 * 1024)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return a tracker's database of 2 MiB in WAL mode."""
    return tracker_database(tmp_path / "tracker.db", 2)


def once(action: Callable[[], object], after: int = 3) -> Callable[[int, int], None]:
    """Return a progress callback that does something once, after a number of steps."""
    steps = []

    def progress(_done: int, _total: int) -> None:
        steps.append(1)
        if len(steps) == after:
            action()

    return progress


@pytest.mark.guarantee(4)
@pytest.mark.parametrize("page_size", [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536])
@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_the_copy_is_the_snapshot_byte_for_byte(tmp_path: Path, small_steps: None, mode: str, page_size: int) -> None:
    """All bytes of all pages, those that are only in the WAL too; but for the four fields that belong to the copy."""
    path = tmp_path / "tracker.db"
    with OtherProcess(path) as tracker:
        tracker.run(
            f"PRAGMA page_size={page_size}",
            f"PRAGMA journal_mode={mode}",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, h BLOB UNIQUE)",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)"
            " INSERT INTO t SELECT i, randomblob(40) FROM n",
            "PRAGMA wal_checkpoint(TRUNCATE)",
            "PRAGMA wal_autocheckpoint=0",
            "DELETE FROM t WHERE id % 3 = 0",
            "UPDATE t SET h = randomblob(60) WHERE id % 5 = 0",
        )
        wal = path.with_name("tracker.db-wal")
        assert wal.exists() == (mode == "wal")
        expected = expected_pages(path, wal)

        snapshot = copy_of(path, tmp_path)

    differing = differing_bytes(expected, snapshot.path.read_bytes())
    assert set(differing) <= {1}
    assert set(differing.get(1, [])) <= FREE_BYTES_OF_PAGE_1
    assert snapshot.engine["page_size"] == page_size
    assert snapshot.engine["page_count"] == len(expected)
    assert snapshot.engine["journal_mode"] == ("wal" if mode == "wal" else "rollback")
    assert snapshot.raw_bytes == page_size * len(expected)
    assert verdict_on(snapshot.path).ok is True


def test_what_is_committed_during_the_copy_is_not_in_it(tmp_path: Path, small_steps: None, database: Path) -> None:
    with OtherProcess(database) as tracker:
        progress = once(lambda: tracker.run("UPDATE torrents SET completed = 7 WHERE id > 10"))
        snapshot = copy_of(database, tmp_path, progress)

        assert tracker.run("SELECT sum(completed) > 0 FROM torrents") == [[1]]
    assert check_invariant(snapshot.path, integrity=True)["completed"] == 0


@pytest.mark.guarantee(6)
@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA wal_checkpoint(PASSIVE)",
        "PRAGMA wal_checkpoint(FULL)",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "VACUUM",
        "CREATE TABLE another (a)",
        "ALTER TABLE keys ADD COLUMN note TEXT",
        "DELETE FROM torrents",
        "CREATE INDEX by_completed ON torrents (completed)",
    ],
)
def test_nothing_that_another_process_does_restarts_the_copy(
    tmp_path: Path, small_steps: None, database: Path, statement: str
) -> None:
    """Blocking checkpoints wait for our snapshot in vain, and so wait for their timeout only."""
    with OtherProcess(database, timeout=0.1) as tracker:
        rows = tracker.run("UPDATE torrents SET completed = 0", "SELECT count(*) FROM torrents")[0][0]
        snapshot = copy_of(database, tmp_path, once(lambda: tracker.run(statement)))

    assert snapshot.engine["restarts"] == 0
    assert check_invariant(snapshot.path, integrity=True) == {
        "ok": True, "rows": rows, "completed": 0, "counter": 0, "integrity": "ok"
    }  # fmt: skip


def test_a_running_tracker_can_not_leave_wal_mode_during_the_copy(
    tmp_path: Path, small_steps: None, database: Path
) -> None:
    answers = []

    def switch() -> None:
        with OtherProcess(database, timeout=0.1) as tracker:
            try:
                answers.append(tracker.run("PRAGMA journal_mode=DELETE"))
            except AssertionError as error:
                answers.append(str(error))

    snapshot = copy_of(database, tmp_path, once(switch))

    assert answers == ["database is locked"]
    assert check_invariant(snapshot.path, integrity=True)["ok"]


@pytest.mark.guarantee(6)
@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_the_lock_is_held_until_the_last_step(tmp_path: Path, small_steps: None, mode: str) -> None:
    """One open and close of the file by anything in this process would have dropped it, without a word."""
    path = tmp_path / "tracker.db"
    build_database(path, mib=1, journal_mode=mode)
    locked = path if mode == "delete" else path.with_name("tracker.db-shm")
    seen = []

    snapshot = copy_of(path, tmp_path, lambda _done, _total: seen.append(locks_of(os.getpid(), locked)))

    assert len(seen) > 10
    assert all(seen), f"lost after {seen.index([])} of {len(seen)} steps"
    assert locks_of(os.getpid(), path) == [], "the lock is let go at the end"
    assert verdict_on(snapshot.path).ok is True


def test_the_watch_on_locks_sees_one_that_is_dropped(tmp_path: Path) -> None:
    """Otherwise the test above would prove nothing."""
    path = tmp_path / "tracker.db"
    build_database(path, mib=0.1, journal_mode="delete")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.execute("PRAGMA schema_version")
        assert locks_of(os.getpid(), path)
        path.read_bytes()
        assert locks_of(os.getpid(), path) == []


@pytest.mark.guarantee(6)
@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_the_source_s_files_are_opened_once_while_sqlite_has_them_open(tmp_path: Path, mode: str) -> None:
    """An audit hook sees every open() in the process; what is opened is closed after SQLite: see the test on the lock.

    Each more would be one more that has to be.
    """
    path = tmp_path / "tracker.db"
    build_database(path, mib=1, journal_mode=mode)

    done = subprocess.run(
        [sys.executable, "-I", "-c", OPENS, str(ROOT), str(path), str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    opened = [f"open {path}", *([f"open {path}-wal"] if mode == "wal" else [])]
    assert (done.stdout, done.stderr) == (f"True {opened}\n", "")


@pytest.mark.guarantee(6)
@pytest.mark.parametrize("kind", ["replaced", "removed"])
def test_a_file_that_changes_its_identity_is_an_error(
    tmp_path: Path, small_steps: None, database: Path, kind: str
) -> None:
    other = tmp_path / "other.db"
    build_database(other, mib=0.1)
    action = database.unlink if kind == "removed" else lambda: other.replace(database)

    with pytest.raises(SourceError, match=r"vanished during the copy|was replaced by another file during the copy"):
        copy_of(database, tmp_path, once(action))


@pytest.mark.guarantee(16)
def test_a_deadline_ends_the_copy(tmp_path: Path, small_steps: None, database: Path) -> None:
    seen: list[int] = []

    with pytest.raises(DeadlineError, match=r"max_run_seconds passed while .*tracker.db was being copied"):
        copy_of(database, tmp_path, lambda done, _: seen.append(done), deadline=time.monotonic() - 1)

    assert seen == []


@pytest.mark.guarantee(6)
def test_an_error_in_mid_copy_lets_the_lock_go(tmp_path: Path, small_steps: None, database: Path) -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_of(database, tmp_path, once(fail))

    assert locks_of(os.getpid(), database) == []
    with OtherProcess(database, timeout=0) as tracker:
        assert tracker.run("PRAGMA wal_checkpoint(TRUNCATE)") == [[0, 0, 0]]


def test_the_rate_limit_asks_for_as_much_sleep_as_the_bytes_are_worth(
    tmp_path: Path, small_steps: None, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a clock that goes on by sleeping only, the copy takes bytes / rate seconds."""
    slept = []
    clock = Clock(slept)
    monkeypatch.setattr(copying, "time", clock)

    snapshot = copy_of(database, tmp_path, rate_limit_bytes_per_second=1024 * 1024, deadline=1000)

    assert len(slept) > 10
    assert sum(slept) == pytest.approx(snapshot.raw_bytes / 1024**2, rel=0.05)


def test_the_rate_limit_never_sleeps_past_the_deadline(
    tmp_path: Path, small_steps: None, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(copying, "time", Clock(slept))

    with pytest.raises(DeadlineError):
        copy_of(database, tmp_path, rate_limit_bytes_per_second=10, deadline=60)

    assert sum(slept) == pytest.approx(60, abs=0.1)


class Clock:
    """Stands for the module `time`: its seconds pass by sleeping, and a little by looking at it."""

    def __init__(self, slept: list[float]) -> None:
        self._slept = slept
        self._looked = 0

    def monotonic(self) -> float:
        self._looked += 1
        return sum(self._slept) + self._looked * 1e-6

    def sleep(self, seconds: float) -> None:
        self._slept.append(seconds)


@pytest.mark.guarantee(6)
def test_a_source_disk_that_fills_up_is_left_alone(
    tmp_path: Path, small_steps: None, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pinned WAL grows as long as we copy: the tracker's disk matters more than the backup."""
    free = iter([10**12, 10**12, 1024**2])
    monkeypatch.setattr(copying, "free_bytes", lambda _path: next(free))

    with pytest.raises(SourceError, match=r"disk of .* is nearly full \(1 MiB left\)"):
        copy_of(database, tmp_path)

    assert locks_of(os.getpid(), database) == []


@pytest.mark.guarantee(6)
@needs_root
def test_a_disk_that_its_wal_fills_up_is_left_to_the_tracker(tmp_path: Path, small_steps: None) -> None:
    """A real one: what is left is for the tracker, which goes on as soon as the copy is given up."""
    with small_disk(tmp_path / "disk", 128) as disk:
        path = disk / "tracker.db"
        build_database(path, mib=1)
        with OtherProcess(path) as tracker:
            with pytest.raises(SourceError, match=r"disk of .*/disk/tracker.db is nearly full"):
                copy_of(path, tmp_path, once(lambda: fill(disk, 16 * 1024**2)))

            assert locks_of(os.getpid(), path) == []
            tracker.run("UPDATE torrents SET completed = 1")
            assert tracker.run("PRAGMA wal_checkpoint(TRUNCATE)") == [[0, 0, 0]]


def test_a_copy_that_is_complete_is_not_given_up_for_a_full_source_disk(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small volume may always have less room than the reserve; one step pins nothing any longer."""
    monkeypatch.setattr(copying, "free_bytes", lambda _path: 0)

    assert verdict_on(copy_of(database, tmp_path).path).ok is True


@needs_root
def test_a_staging_disk_that_fills_up_is_named(tmp_path: Path, small_steps: None, database: Path) -> None:
    with small_disk(tmp_path / "disk", 4) as disk:
        with pytest.raises(SourceError, match=f"no room left for {disk}") as raised:
            copy_of(database, disk, once(lambda: fill(disk)))

        assert "staging" in str(raised.value)
        assert locks_of(os.getpid(), database) == []


def test_copies_under_a_writer_hold_whole_transactions(tmp_path: Path, small_steps: None, database: Path) -> None:
    with Writer(database, rate=300) as writer:
        copies = [copy_of(database, tmp_path, lambda _d, _t: time.sleep(0.002)) for _ in range(3)]
        written = writer.report()["transactions"]
        wait_until(lambda: writer.report()["transactions"] > written + 1, lambda: "the writer stands still")
        copies.append(copy_of(database, tmp_path, lambda _d, _t: time.sleep(0.002)))
        assert writer.stop()["failed"] == 0

    states = [check_invariant(copy.path, integrity=True) for copy in copies]
    assert all(state["ok"] for state in states), states
    assert [copy.engine["restarts"] for copy in copies] == [0, 0, 0, 0]
    assert states[-1]["counter"] > states[0]["counter"], "the writer was at work meanwhile"


@pytest.mark.guarantee(6)
def test_reading_creates_nothing_but_empty_sidecars_of_the_owner(tmp_path: Path, database: Path) -> None:
    before = database.read_bytes()

    copy_of(database, tmp_path)

    assert database.read_bytes() == before
    beside = {path.name: path.stat() for path in tmp_path.glob("tracker.db-*")}
    assert set(beside) <= {"tracker.db-wal", "tracker.db-shm"}
    assert {status.st_uid for status in beside.values()} <= {database.stat().st_uid}
    assert all(status.st_size == 0 for name, status in beside.items() if name.endswith("-wal"))


def test_committed_rows_of_a_tracker_that_was_killed_are_in_the_copy(tmp_path: Path, database: Path) -> None:
    """They are in its -wal only, with or without the -shm."""
    tracker = OtherProcess(database)
    tracker.run("PRAGMA wal_autocheckpoint=0", "UPDATE torrents SET completed = 1 WHERE id <= 5")
    tracker.crash()
    database.with_name("tracker.db-shm").unlink()
    main = database.read_bytes()

    snapshot = copy_of(database, tmp_path)

    with closing(sqlite3.connect(f"file:{snapshot.path}?immutable=1", uri=True)) as connection:
        assert connection.execute("SELECT sum(completed) FROM torrents").fetchone() == (5,)
    assert database.read_bytes() == main, "nobody has checkpointed it"


def test_it_cannot_be_suspended_while_others_wait_for_its_lock(
    tmp_path: Path, small_steps: None, database: Path
) -> None:
    before, meanwhile = signal.getsignal(signal.SIGTSTP), set()

    copy_of(database, tmp_path, lambda _done, _total: meanwhile.add(signal.getsignal(signal.SIGTSTP)))

    assert meanwhile == {signal.SIG_IGN}
    assert signal.getsignal(signal.SIGTSTP) == before


def test_a_copy_that_stood_still_says_nothing_of_the_disk_s_rate(
    tmp_path: Path, small_steps: None, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rate of nothing would be remembered for a week, in which no copy would even be tried."""
    with OtherProcess(database) as tracker:
        tracker.run("PRAGMA journal_mode=DELETE")
    real, stopped = time.monotonic, [0.0]
    monkeypatch.setattr(copying.time, "monotonic", lambda: real() + sum(stopped))

    with pytest.raises(SourceError, match=r"stood still for 36\d\d s") as raised:
        copy_of(
            database,
            tmp_path,
            once(lambda: stopped.append(3600.0)),
            max_write_stall_seconds=60,
            deadline=real() + 10**6,
        )

    assert not isinstance(raised.value, TooSlowError)
