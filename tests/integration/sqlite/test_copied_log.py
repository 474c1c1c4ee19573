"""The -wal is copied beside the database and folded into it: the pinned state, whatever checkpoints and writers do."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from support.copying import copy_of, verdict_on
from support.databases import tracker_database
from support.faults import rounds
from support.sqlite_world import FREE_BYTES_OF_PAGE_1, OtherProcess, differing_bytes, expected_pages
from support.tracker_standin import Writer, check_invariant
from tracker_backup.errors import DeadlineError, SourceError
from tracker_backup.sources.sqlite import copy as copying
from tracker_backup.sources.sqlite import originals, staged
from tracker_backup.sources.sqlite.opening import look_at
from tracker_backup.system.flushing import UNFLUSHED_BYTES

pytestmark = pytest.mark.guarantee(4, 6)
SMALL = 16 * 1024


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small files be copied in many steps."""
    for module, name in ((copying, "CHUNK_BYTES"), (copying, "_BLOCK_BYTES"), (originals, "_BLOCK_BYTES")):
        monkeypatch.setattr(module, name, SMALL)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return a tracker's database of 2 MiB in WAL mode."""
    return tracker_database(tmp_path / "tracker.db", 2)


def before_block(monkeypatch: pytest.MonkeyPatch, number: int, action: Callable[[], object]) -> list[int]:
    """Do something when the -wal.s copy is about to write its block of that number; return the blocks."""
    write_all, blocks = originals.write_all, []

    def acting(descriptor: int, block: bytes) -> None:
        blocks.append(len(block))
        if len(blocks) == number:
            action()
        write_all(descriptor, block)

    monkeypatch.setattr(originals, "write_all", acting)
    return blocks


def bring_all_over(tracker: OtherProcess) -> None:
    """Write each row twice, and bring all of the -wal into the database: nobody waits for it then."""
    tracker.run("PRAGMA wal_autocheckpoint=0", "UPDATE torrents SET completed = 1")
    tracker.run("UPDATE torrents SET completed = 2", "PRAGMA wal_checkpoint(PASSIVE)")


def expect_whole(copy: Path, completed: int) -> None:
    """Expect a sound copy in which each row has that value."""
    assert verdict_on(copy).ok is True
    with closing(sqlite3.connect(f"file:{copy}?immutable=1", uri=True)) as connection:
        assert connection.execute("SELECT DISTINCT completed FROM torrents").fetchall() == [(completed,)]


def test_a_wal_that_is_begun_anew_while_it_is_copied_brings_back_nothing_of_the_past(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it had been brought over, so that nobody waited for it: our lock keeps the database alone as it is.

    The old beginning alone, over the database, would take pages back to what they were: each row is written twice.
    """
    with OtherProcess(database) as tracker:
        bring_all_over(tracker)
        size = database.with_name("tracker.db-wal").stat().st_size

        def begin_anew() -> None:
            tracker.run("UPDATE torrents SET completed = 3")

        blocks = before_block(monkeypatch, 8, begin_anew)
        snapshot = copy_of(database, tmp_path)

        assert sum(blocks) > SMALL * 8, "it was looked at again"
        assert database.with_name("tracker.db-wal").stat().st_size == size, "begun anew, and not added to"
    expect_whole(snapshot.path, 3)


def test_a_wal_that_is_cut_off_by_a_checkpoint_while_it_is_copied_is_not_needed(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OtherProcess(database) as tracker:
        bring_all_over(tracker)
        answers: list[object] = []
        before_block(monkeypatch, 8, lambda: answers.append(tracker.run("PRAGMA wal_checkpoint(TRUNCATE)")))

        snapshot = copy_of(database, tmp_path)

        assert answers == [[[0, 0, 0]]]
        assert database.with_name("tracker.db-wal").stat().st_size == 0
    expect_whole(snapshot.path, 2)


def test_a_wal_that_is_always_begun_anew_is_given_up(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OtherProcess(database) as tracker:
        tracker.run("UPDATE torrents SET completed = 1")
        monkeypatch.setattr(originals, "_SALTS", slice(0, 8))

        with pytest.raises(SourceError, match="does not agree with its -shm"):
            copy_of(database, tmp_path)


def test_the_state_is_that_of_the_pin_with_all_of_a_large_wal(tmp_path: Path, database: Path) -> None:
    """Larger than what is flushed at once; and what is added after it is not in it."""
    with OtherProcess(database) as tracker:
        tracker.run("PRAGMA wal_autocheckpoint=0")
        for value in range(1, 12):
            tracker.run(f"UPDATE torrents SET completed = {value}")
        tracker.run("UPDATE torrents SET completed = 0")
        wal = database.with_name("tracker.db-wal")
        assert wal.stat().st_size > UNFLUSHED_BYTES
        expected = expected_pages(database, wal)
        done = []

        def write(_done: int, _total: int) -> None:
            if not done:
                done.append(tracker.run("UPDATE torrents SET completed = 99 WHERE id < 100"))

        snapshot = copy_of(database, tmp_path, write)

    differing = differing_bytes(expected, snapshot.path.read_bytes())
    assert set(differing) <= {1}
    assert set(differing.get(1, [])) <= FREE_BYTES_OF_PAGE_1
    assert done
    assert [path.name for path in snapshot.path.parent.iterdir()] == [snapshot.path.name]


@pytest.mark.parametrize("after", [1, 5, 40])
@pytest.mark.parametrize("kind", ["shorter", "longer"])
def test_a_database_that_a_checkpoint_makes_shorter_or_longer_in_mid_copy(
    tmp_path: Path, database: Path, kind: str, after: int
) -> None:
    """Both are in the -wal already: what a VACUUM has freed, and what was put behind the end of the file."""
    statements = {
        "shorter": ["DELETE FROM torrents WHERE id > 100", "VACUUM"],
        "longer": ["CREATE TABLE more AS SELECT randomblob(900) AS b FROM torrents LIMIT 2000"],
    }
    with OtherProcess(database) as tracker:
        tracker.run("PRAGMA wal_autocheckpoint=0", *statements[kind])
        rows = tracker.run("SELECT count(*) FROM torrents")[0][0]
        before, steps = database.stat().st_size, []

        def checkpoint(_done: int, _total: int) -> None:
            steps.append(1)
            if len(steps) == after:
                tracker.run("PRAGMA wal_checkpoint(PASSIVE)")

        snapshot = copy_of(database, tmp_path, checkpoint)
        changed = database.stat().st_size - before
        assert changed < 0 if kind == "shorter" else changed > 0

    assert verdict_on(snapshot.path).ok is True
    with closing(sqlite3.connect(f"file:{snapshot.path}?immutable=1", uri=True)) as connection:
        assert connection.execute("SELECT count(*) FROM torrents").fetchone() == (rows,)


def test_another_file_than_sqlite_has_open_is_not_read(tmp_path: Path, database: Path) -> None:
    """By name it may be exchanged after SQLite has opened it, and put back before anybody looks again."""
    looked_at = look_at(database)
    tracker_database(tmp_path / "other.db", 1).replace(database)

    with ExitStack() as after_release, pytest.raises(SourceError, match="was replaced by another file"):
        originals.open_original(looked_at, after_release)


def test_a_deadline_ends_the_copy_of_a_wal(tmp_path: Path, database: Path) -> None:
    with OtherProcess(database) as tracker:
        tracker.run("UPDATE torrents SET completed = 1")
        with pytest.raises(DeadlineError, match=r"max_run_seconds passed while .*tracker\.db was being copied"):
            copy_of(database, tmp_path, deadline=time.monotonic() - 1)


@pytest.fixture
def checkpoints(database: Path) -> Iterator[list[int]]:
    """Let somebody begin checkpoints of every kind all the time; return how many came to their end."""
    over, done = threading.Event(), []

    def work() -> None:
        with OtherProcess(database, timeout=0.01) as other:
            luck = random.Random(1)
            while not over.is_set():
                with suppress(AssertionError):
                    kind = luck.choice(("PASSIVE", "FULL", "RESTART", "TRUNCATE"))
                    done.append(other.run(f"PRAGMA wal_checkpoint({kind})")[0][0] == 0)
                time.sleep(luck.choice((0, 0.001, 0.01)))

    thread = threading.Thread(target=work)
    thread.start()
    yield done
    over.set()
    thread.join()


def test_copies_in_a_row_under_writers_and_checkpoints_are_whole(
    tmp_path: Path, database: Path, checkpoints: list[int], tally: Callable[[str, int], None]
) -> None:
    """Each holds whole transactions, all that were committed before it began, and none that came after its end."""
    luck = random.Random(seed := random.randrange(10**6))
    number = rounds(300, short=25)
    with Writer(database, rate=1000, busy_timeout=60) as writer, OtherProcess(database, timeout=60) as reader:
        last = 0
        for _ in range(number):
            query = "SELECT value FROM torrent_aggregate_metrics"
            before = reader.run(query)[0][0]
            wait = luck.choice((0.0, 0.0, 0.0005, 0.002))
            snapshot = copy_of(database, tmp_path, lambda _d, _t, wait=wait: time.sleep(wait))
            after = reader.run(query)[0][0]
            found = check_invariant(snapshot.path, integrity=True)
            assert found["ok"], (seed, found)
            assert before <= found["completed"] <= after, (seed, before, found, after)
            last = max(last, found["completed"])
            snapshot.path.unlink()
        assert writer.stop()["failed"] == 0
    assert last > 0
    assert sum(checkpoints) > number / 5
    tally("copies under writers and checkpoints", number)


def with_log(database: Path) -> OtherProcess:
    """Return a tracker with a -wal of about the size of its database, of which nothing was brought over."""
    tracker = OtherProcess(database)
    tracker.run("PRAGMA wal_autocheckpoint=0", "UPDATE torrents SET completed = 1")
    return tracker


def test_the_log_counts_as_a_part_of_what_is_copied(tmp_path: Path, database: Path) -> None:
    told: list[tuple[int, int]] = []
    with with_log(database):
        log = database.with_name("tracker.db-wal").stat().st_size
        copy_of(database, tmp_path, lambda done, total: told.append((done, total)))

    assert told == sorted(told)
    assert told[0][0] == SMALL
    assert {total for _, total in told} == {told[-1][0]}
    assert told[-1][0] == log + database.stat().st_size


def test_a_tracker_s_disk_that_fills_up_ends_the_copy_of_its_log(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "WATCHED_BYTES", SMALL)
    monkeypatch.setattr(copying, "free_bytes", lambda _path: 1024**2)
    with with_log(database) as tracker:
        with pytest.raises(SourceError, match=r"disk of .* is nearly full \(1 MiB left\)"):
            copy_of(database, tmp_path)
        assert tracker.run("UPDATE torrents SET completed = 3 WHERE id = 1", "SELECT 1") == [[1]]
    [staging] = tmp_path.glob("staging-*")
    assert sum(file.stat().st_size for file in staging.iterdir()) <= SMALL


def test_a_rate_limit_holds_for_the_log_as_well(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_back: list[int] = []
    monkeypatch.setattr(copying._Steps, "_hold_back", lambda _steps, done: held_back.append(done))
    with with_log(database):
        log = database.with_name("tracker.db-wal").stat().st_size
        copy_of(database, tmp_path)

    assert sum(done <= log for done in held_back) == -(-log // SMALL)
    assert held_back == sorted(held_back)
    assert held_back[-1] == log + database.stat().st_size


def test_a_log_s_copy_whose_disk_fills_up_while_it_is_folded_is_named(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> sqlite3.Connection:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    with with_log(database):
        fold = copying.fold

        def fold_without_room(*arguments: int) -> None:
            monkeypatch.setattr(staged.sqlite3, "connect", full)
            fold(*arguments)

        monkeypatch.setattr(copying, "fold", fold_without_room)
        with pytest.raises(SourceError, match="no room left for") as raised:
            copy_of(database, tmp_path)

    assert "staging" in str(raised.value)
