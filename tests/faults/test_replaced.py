"""The database becomes another one in the middle of its copy: by rename, in place, with its -wal, with its directory.

A mixture of two states of the same tables may pass every check that SQLite has, so it must not come so far.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.inplace_world import mark
from support.program import Installation, sqlite_source
from support.small_disk import needs_root
from support.sqlite_world import OtherProcess
from support.tracker_standin import Writer, build_database
from tracker_backup.repository.store import Repository

pytestmark = pytest.mark.guarantee(4, 6)
MODES = {"wal": "wal", "rollback": "delete"}
Act = Callable[[Path, Path], object]


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """Return how the database keeps its journal."""
    return str(request.param)


@pytest.fixture
def installation(tmp_path: Path, mode: str) -> Installation:
    """Return the program configured for a database of which there is an older state beside it, as after a restore."""
    made = Installation(tmp_path / "host", max_write_stall_seconds=600, max_pause_seconds=900)
    database = made.data / "database" / "tracker.db"
    database.parent.mkdir()
    made.configure(sources=[sqlite_source("tracker", database)])
    build_database(database, mib=2, journal_mode=MODES[mode])
    shutil.copyfile(database, made.directory / "older.db")
    with closing(sqlite3.connect(database)) as connection, connection:
        # No page more or less, but another state of nearly all of them.
        rows = connection.execute("UPDATE torrents SET completed = 1").rowcount
        connection.execute("UPDATE torrent_aggregate_metrics SET value = ?", (rows,))
    Repository(made.repository).init()
    return made


def database_of(installation: Installation) -> Path:
    """Return the path of the database."""
    return installation.data / "database" / "tracker.db"


def other_directory(path: Path, older: Path) -> None:
    """Put another directory in the place of the database's."""
    path.parent.rename(path.parent.with_name("away"))
    path.parent.mkdir()
    shutil.copyfile(older, path)


def renamed_away_and_new(path: Path, older: Path) -> None:
    """Take the file away and put another one there."""
    path.unlink()
    shutil.copyfile(older, path)


def restored_with_another_tool(path: Path, older: Path) -> None:
    """Write into the file without cutting it off first, and give it the old file's times, as rsync --inplace does."""
    with path.open("r+b") as file:
        file.write(older.read_bytes())
    os.utime(path, ns=(older.stat().st_atime_ns, older.stat().st_mtime_ns))


QUICK = (
    "another file renamed over it",
    "an older state copied over it",
    "cut off in the middle",
    "another directory in its place",
    "VACUUM",
    "PRAGMA journal_mode=DELETE",
)


def quick_ones(kinds: Iterable[str]) -> list[Any]:
    """Return parameters of which those that are not quite as likely are for `make faults` alone."""
    return [pytest.param(each, marks=[] if each in QUICK else pytest.mark.slow) for each in kinds]


REFUSED: dict[str, tuple[Act, str]] = {
    "another file renamed over it": (lambda path, older: older.replace(path), "was replaced by another file"),
    "removed": (lambda path, older: path.unlink(), "vanished during the copy"),
    "removed, and a new one made": (renamed_away_and_new, "was replaced by another file"),
    "an older state copied over it": (lambda path, older: shutil.copyfile(older, path), "written to past SQLite"),
    "an older state synchronised into it": (restored_with_another_tool, "written to past SQLite"),
    "cut off to nothing": (lambda path, older: os.truncate(path, 0), "written to past SQLite"),
    "cut off in the middle": (lambda path, older: os.truncate(path, 1024 * 1024), "written to past SQLite"),
    "another directory in its place": (other_directory, "was replaced by another file"),
    "its directory moved away": (lambda path, older: path.parent.rename(path.parent.with_name("x")), "vanished during"),
}


@pytest.mark.parametrize("kind", quick_ones(REFUSED))
def test_what_was_put_in_its_place_is_never_mixed_into_the_copy(
    installation: Installation, kind: str, tally: Callable[[str, int], None]
) -> None:
    act, told = REFUSED[kind]
    with installation.start_halting("copy", "--now") as running:
        act(database_of(installation), installation.directory / "older.db")
        running.go_on()
        assert running.wait() == 1, running.said()

    assert told in running.said()
    assert installation.published() == {}
    assert installation.left_over() == []
    tally("faults survived", 1)


@needs_root
def test_a_directory_that_is_unmounted_or_mounted_over(
    installation: Installation, tally: Callable[[str, int], None]
) -> None:
    """Lazily, as `umount -l` does: whoever has the file open still sees it; by its path it is another, or none."""
    database = database_of(installation)
    subprocess.run(["mount", "-t", "tmpfs", "none", str(database.parent)], check=True)
    try:
        shutil.copyfile(installation.directory / "older.db", database)
        with installation.start_halting("copy", "--now") as running:
            subprocess.run(["umount", "--lazy", str(database.parent)], check=True)
            running.go_on()
            assert running.wait() == 1, running.said()
        assert "was replaced by another file" in running.said(), "the one that had been mounted over"
        with installation.start_halting("copy", "--now") as running:
            subprocess.run(["mount", "-t", "tmpfs", "none", str(database.parent)], check=True)
            running.go_on()
            assert running.wait() == 1, running.said()
        assert "vanished during the copy" in running.said()
    finally:
        subprocess.run(["umount", "--lazy", str(database.parent)], check=False)
    assert installation.published() == {}
    tally("faults survived", 2)


def expect_pinned(installation: Installation) -> None:
    """Expect a verified backup of what was there when the copy began."""
    [backup] = installation.manifests()
    assert backup["state"] == "verified"
    found = installation.restored()
    assert found["ok"], found
    assert found["counter"] == found["rows"], "each torrent once, as when it began"


STATEMENTS = (
    "VACUUM",
    "PRAGMA journal_mode=DELETE",
    "PRAGMA journal_mode=WAL",
    "PRAGMA journal_mode=TRUNCATE",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "DELETE FROM torrents",
)


@pytest.mark.parametrize("statement", quick_ones(STATEMENTS))
def test_what_sqlite_itself_does_meanwhile_is_no_mixture(
    installation: Installation, statement: str, tally: Callable[[str, int], None]
) -> None:
    """It waits, is refused, or goes into the -wal behind the snapshot."""
    with installation.start_halting("copy", "--now") as running:
        with OtherProcess(database_of(installation), timeout=0.1) as tracker:
            for each in ("UPDATE torrents SET completed = completed + 1 WHERE id < 50", statement):
                try:
                    tracker.run(each)
                except AssertionError as error:
                    assert "database is locked" in str(error), str(error)  # noqa: PT017 - the other process's
        running.go_on()
        assert running.wait() == 0, running.said()

    expect_pinned(installation)
    tally("faults survived", 1)


def checkpoints(path: Path) -> Iterator[str]:
    """Return statements that make a busy database's checkpoints go forward and back in every way."""
    for mode in ("PASSIVE", "FULL", "RESTART", "TRUNCATE"):
        yield "UPDATE torrents SET completed = completed + 1"
        yield f"PRAGMA wal_checkpoint({mode})"


@pytest.mark.parametrize("mode", ["wal"], indirect=True)
@pytest.mark.parametrize("before", [0, 1, 2], ids=["empty -wal", "full -wal", "half brought over"])
def test_checkpoints_of_a_busy_tracker_are_not_taken_for_somebody_else(installation: Installation, before: int) -> None:
    """Whatever is in the -wal when the snapshot is pinned, and however it comes into the file afterwards."""
    database = database_of(installation)
    with OtherProcess(database, timeout=0.05) as reader, OtherProcess(database, timeout=0.05) as tracker:
        tracker.run("PRAGMA wal_autocheckpoint=0", "PRAGMA wal_checkpoint(TRUNCATE)")
        if before:
            tracker.run("UPDATE torrents SET completed = 1")
        if before == 2:
            reader.run("BEGIN", "SELECT count(*) FROM torrents")
            tracker.run("UPDATE torrents SET completed = 1 WHERE id < 100", "PRAGMA wal_checkpoint(PASSIVE)")
        with installation.start_halting("copy", "--now") as running:
            for statement in checkpoints(database):
                tracker.run(statement)
            if before == 2:
                reader.run("COMMIT")
                tracker.run("PRAGMA wal_checkpoint(PASSIVE)")
            running.go_on()
            assert running.wait() == 0, running.said()

    expect_pinned(installation)


@pytest.mark.parametrize("mode", ["wal"], indirect=True)
@pytest.mark.parametrize("kind", ["removed", "replaced", "cut off", "cut off in the middle", "scribbled over"])
@pytest.mark.parametrize("phase", ["decided", "copy"])
def test_a_wal_that_somebody_takes_away_costs_at_most_the_backup(
    installation: Installation, phase: str, kind: str, tally: Callable[[str, int], None]
) -> None:
    """Once the copy has begun, the -wal has been copied; before that it may cost the backup. A mixture it is never."""
    database = database_of(installation)
    wal = database.with_name("tracker.db-wal")
    with OtherProcess(database) as tracker:
        tracker.run("PRAGMA wal_autocheckpoint=0", "UPDATE torrents SET completed = completed + 1")
        tracker.run("UPDATE torrent_aggregate_metrics SET value = 2 * value")
        with installation.start_halting(phase, "--now") as running:
            if kind == "cut off":
                os.truncate(wal, 0)
            elif kind == "cut off in the middle":
                os.truncate(wal, wal.stat().st_size // 2)
            elif kind == "scribbled over":
                with wal.open("r+b") as file:
                    file.seek(wal.stat().st_size // 2)
                    file.write(b"scribble" * 100)
            else:
                wal.unlink()
            if kind == "replaced":
                wal.write_bytes(b"")
            running.go_on()
            code = running.wait()
        tracker.crash()

    if code == 0:
        [backup] = installation.manifests()
        assert backup["state"] == "verified"
        found = installation.restored()
        assert found["ok"], found
        assert found["counter"] == 2 * found["rows"]
    else:
        assert code == 1, running.said()
        assert installation.published() == {}
        assert "run the backup again" in running.said() or "the disk" in running.said(), running.said()
    assert code == 0 or phase == "decided", running.said()
    tally("faults survived", 1)


def test_another_database_between_the_look_and_the_lock(installation: Installation, mode: str) -> None:
    """When it is known what the copy costs the file is another one: the copy would not be what was looked at."""
    other = installation.directory / "other.db"
    build_database(other, mib=0.5, journal_mode=MODES[mode])
    mark(other, "other")
    with installation.start_halting("decided", "--now") as running:
        other.replace(database_of(installation))
        running.go_on()
        assert running.wait() == 1, running.said()

    assert "was replaced by another file" in running.said()
    assert installation.published() == {}


def test_a_database_that_is_another_one_after_its_copy_is_not_mixed_up_with_it(
    installation: Installation, tally: Callable[[str, int], None]
) -> None:
    """Once it is copied, what happens to the file is the next run's business."""
    for phase in ("compress", "check", "read back", "publish"):
        database = database_of(installation)
        with installation.start_halting(phase, "--now") as running:
            shutil.copyfile(database, database.with_name("kept.db"))
            os.truncate(database, 0)
            running.go_on()
            assert running.wait() == 0, running.said()
        expect_pinned(installation)
        shutil.rmtree(installation.repository / installation.manifests()[0]["id"])
        for suffix in ("-wal", "-shm"):
            database.with_name(f"tracker.db{suffix}").unlink(missing_ok=True)
        database.with_name("kept.db").replace(database)
        tally("faults survived", 1)


@pytest.mark.parametrize("mode", ["wal"], indirect=True)
def test_a_tracker_at_work_is_never_taken_for_somebody_who_writes_past_sqlite(installation: Installation) -> None:
    """Backup after backup under a writer as fast as it can, with its own checkpoints in the midst of the copies."""
    database = database_of(installation)
    with Writer(database, rate=2000) as writer:
        for _ in range(5):
            with installation.start_halting("copy", "--now") as running:
                wanted = writer.report()["transactions"] + 1
                while writer.report()["transactions"] < wanted:
                    assert running.alive()
                running.go_on()
                assert running.wait() == 0, running.said()
        assert writer.stop()["failed"] == 0
