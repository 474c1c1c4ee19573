"""What can only be read after a recovery is recovered in staging; the source is not touched."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.cloning_disk import bound
from support.copying import copy_of, verdict_on
from support.program import tree
from support.small_disk import needs_root, small_disk
from support.sqlite_world import OtherProcess
from support.tracker_standin import build_database, check_invariant
from tracker_backup.errors import DeadlineError, SourceError
from tracker_backup.sources.interface import Snapshot
from tracker_backup.sources.sqlite import copy as copying
from tracker_backup.sources.sqlite import recovery


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a directory for databases."""
    directory = tmp_path / "data"
    directory.mkdir()
    return directory


def crash_in_mid_transaction(path: Path, *more: str) -> Path:
    """Let a database's writer die in a transaction: pages half written, the journal hot."""
    tracker = OtherProcess(path)
    tracker.run(*more, "PRAGMA cache_size=5", "BEGIN", "UPDATE torrents SET completed = completed + 1")
    tracker.crash()
    assert path.with_name(path.name + "-journal").stat().st_size > 0
    return path


@pytest.fixture
def crashed(data: Path) -> Path:
    """Return a tracker's database with a hot journal."""
    build_database(data / "tracker.db", mib=1, journal_mode="delete")
    return crash_in_mid_transaction(data / "tracker.db")


def contents(directory: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return bytes, inode and time of change of every file."""
    return {
        entry.name: (entry.read_bytes(), entry.stat().st_ino, entry.stat().st_mtime_ns) for entry in directory.iterdir()
    }


def assert_recovered(snapshot: Snapshot) -> None:
    """See to it that a copy is whole, alone in its directory, and cost nobody anything."""
    assert snapshot.method == "recovered"
    assert [entry.name for entry in snapshot.path.parent.iterdir()] == [snapshot.path.name]
    assert snapshot.path.stat().st_mode & 0o777 == 0o600
    assert (snapshot.write_stall_seconds, snapshot.pause_seconds) == (0, 0)
    assert verdict_on(snapshot.path).ok is True


@pytest.mark.guarantee(6)
@pytest.mark.parametrize("mode", ["DELETE", "PERSIST", "TRUNCATE"])
def test_a_hot_journal_is_rolled_back_in_the_copy_only(tmp_path: Path, data: Path, mode: str) -> None:
    """Copied as it lies there, it would be half a transaction that passes every check."""
    path = data / "tracker.db"
    build_database(path, mib=1, journal_mode="delete")
    crash_in_mid_transaction(
        path, f"PRAGMA journal_mode={mode}", "UPDATE torrents SET completed = 3 WHERE id = 1",
        "UPDATE torrent_aggregate_metrics SET value = 3",
    )  # fmt: skip
    before = contents(data)

    snapshot = copy_of(path, tmp_path)

    assert_recovered(snapshot)
    assert check_invariant(snapshot.path, integrity=True)["counter"] == 3
    assert snapshot.engine["journal_mode"] == "rollback"
    assert contents(data) == before


def test_without_its_journal_the_copy_would_be_half_a_transaction(crashed: Path) -> None:
    """Otherwise the test above would prove nothing."""
    crashed.with_name("tracker.db-journal").unlink()

    assert check_invariant(crashed)["ok"] is False


@pytest.mark.guarantee(6)
def test_the_tracker_can_still_recover_the_database_itself(tmp_path: Path, crashed: Path) -> None:
    copy_of(crashed, tmp_path)

    with OtherProcess(crashed) as tracker:
        assert tracker.run("SELECT sum(completed) FROM torrents") == [[0]]


def test_a_hot_journal_is_not_touched_by_the_switch_to_wal_mode(tmp_path: Path, crashed: Path) -> None:
    """To open it for writing would roll it back in its place."""
    before, notes = contents(crashed.parent), []

    snapshot = copy_of(crashed, tmp_path, switch_to_wal=True, note=notes.append)

    assert_recovered(snapshot)
    assert contents(crashed.parent) == before
    assert len(notes) == 1
    assert "could not be switched to WAL mode tonight: it must be recovered first" in notes[0]


def test_a_journal_that_is_not_hot_needs_no_recovery(tmp_path: Path, data: Path) -> None:
    path = data / "tracker.db"
    build_database(path, mib=0.2, journal_mode="delete")
    with OtherProcess(path) as tracker:
        tracker.run("PRAGMA journal_mode=PERSIST", "UPDATE torrents SET completed = 1")
        assert path.with_name("tracker.db-journal").exists()

        assert copy_of(path, tmp_path, max_write_stall_seconds=60).method == "pinned"


def test_a_journal_of_a_writer_at_work_needs_no_recovery(tmp_path: Path, data: Path) -> None:
    path = data / "tracker.db"
    build_database(path, mib=0.2, journal_mode="delete")
    with OtherProcess(path) as tracker:
        tracker.run("BEGIN IMMEDIATE", "UPDATE torrents SET completed = 1")

        snapshot = copy_of(path, tmp_path, max_write_stall_seconds=60)

    assert snapshot.method == "pinned"
    assert check_invariant(snapshot.path, integrity=True)["completed"] == 0


def recover_at(path: Path) -> None:
    """Do what the tracker does when it starts."""
    with OtherProcess(path) as tracker:
        tracker.run("SELECT count(*) FROM torrents")


def write_a_byte(path: Path) -> None:
    """Change the content and not the size."""
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"x")


def replace_main(path: Path) -> None:
    """Put another file in the database's place, of the same content and times."""
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    os.utime(copy, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    copy.replace(path)


CHANGES: dict[str, Callable[[Path], object]] = {
    "the tracker starts": recover_at,
    "the journal vanishes": lambda path: path.with_name("tracker.db-journal").unlink(),
    "the journal is written": lambda path: path.with_name("tracker.db-journal").write_bytes(b"more"),
    "a page is written": write_a_byte,
    "the file is replaced": replace_main,
    "a -wal appears": lambda path: path.with_name("tracker.db-wal").write_bytes(b"something"),
    "the file vanishes": lambda path: path.unlink(),
}


@pytest.mark.guarantee(4, 6)
@pytest.mark.parametrize("when", ["", "-journal"])
@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_while_it_is_copied_is_an_error(
    tmp_path: Path, crashed: Path, monkeypatch: pytest.MonkeyPatch, change: str, when: str
) -> None:
    """Whichever file was copied by then, the copy might be of two states."""
    copy = recovery._copy

    def act(path: Path, target: Path, context: Any) -> None:
        copy(path, target, context)
        if path == crashed.with_name(crashed.name + when):
            CHANGES[change](crashed)

    monkeypatch.setattr(recovery, "_copy", act)

    with pytest.raises(SourceError, match="changed while it was copied: it is in use after all") as raised:
        copy_of(crashed, tmp_path)

    assert raised.value.hint == "run the backup again"


def test_a_disk_that_fills_up_while_it_is_copied_is_named(
    tmp_path: Path, crashed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(recovery, "write_all", full)

    with pytest.raises(SourceError, match=f"no room left for {tmp_path}"):
        copy_of(crashed, tmp_path)


@pytest.mark.guarantee(16)
def test_a_deadline_ends_the_recovery(tmp_path: Path, crashed: Path) -> None:
    with pytest.raises(DeadlineError, match="max_run_seconds passed"):
        copy_of(crashed, tmp_path, deadline=time.monotonic() - 1)


def test_a_healthy_database_is_not_opened_to_find_that_out(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is opened in WAL mode gets files beside it, even where nothing is to be copied at all."""
    monkeypatch.setattr(recovery, "open_source", lambda _database: pytest.fail("the database was opened"))
    for mode in ("wal", "delete"):
        build_database(data / f"{mode}.db", mib=0.1, journal_mode=mode)

        assert copy_of(data / f"{mode}.db", tmp_path).method == "pinned"


def count_up(tracker: OtherProcess, numbers: range) -> None:
    """Commit a transaction for each of these torrents."""
    for number in numbers:
        tracker.run(
            "BEGIN", f"UPDATE torrents SET completed = 1 WHERE id = {number}",
            "UPDATE torrent_aggregate_metrics SET value = value + 1", "COMMIT",
        )  # fmt: skip


def uncheckpointed(path: Path, *, shm: bool) -> None:
    """Leave 50 transactions in the -wal of a database whose tracker was killed."""
    build_database(path, mib=0.2)
    tracker = OtherProcess(path)
    tracker.run("PRAGMA wal_autocheckpoint=0")
    count_up(tracker, range(1, 51))
    tracker.crash()
    if not shm:
        path.with_name("tracker.db-shm").unlink()


@needs_root
@pytest.mark.parametrize("shm", [True, False])
def test_all_of_an_uncheckpointed_wal_on_a_read_only_mount_is_recovered(tmp_path: Path, data: Path, shm: bool) -> None:
    uncheckpointed(data / "tracker.db", shm=shm)
    with bound(data, tmp_path / "read-only", read_only=True) as mounted:
        before = contents(data)
        snapshot = copy_of(mounted / "tracker.db", tmp_path)
        assert contents(data) == before

    assert_recovered(snapshot)
    assert check_invariant(snapshot.path, integrity=True)["counter"] == 50
    assert snapshot.engine["journal_mode"] == "wal"


@pytest.mark.guarantee(4, 6)
@needs_root
@pytest.mark.parametrize("left", ["older", "older, and all was brought over since", "of an empty -wal", "zeros"])
def test_a_left_over_shm_on_a_read_only_mount_is_not_believed(tmp_path: Path, data: Path, left: str) -> None:
    """Nobody flushes a -shm: after a power cut, and in a snapshot of the disk, it may tell of an earlier -wal."""
    path = data / "tracker.db"
    build_database(path, mib=0.2)
    shm = path.with_name("tracker.db-shm")
    tracker = OtherProcess(path)
    tracker.run("PRAGMA wal_autocheckpoint=0", "SELECT count(*) FROM torrents")
    kept = {"of an empty -wal": shm.read_bytes(), "zeros": bytes(shm.stat().st_size)}
    count_up(tracker, range(1, 11))
    kept["older"] = shm.read_bytes()
    count_up(tracker, range(11, 51))
    if "brought over" in left:
        tracker.run("PRAGMA wal_checkpoint(PASSIVE)")
    tracker.crash()
    shm.write_bytes(kept[left.partition(",")[0]])

    with bound(data, tmp_path / "read-only", read_only=True) as mounted:
        before = contents(data)
        snapshot = copy_of(mounted / "tracker.db", tmp_path)
        assert contents(data) == before

    assert_recovered(snapshot)
    assert check_invariant(snapshot.path, integrity=True)["counter"] == 50


@needs_root
def test_a_tracker_that_dies_before_the_pin_leaves_a_shm_that_is_not_believed(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_database(data / "tracker.db", mib=0.2)
    with bound(data, tmp_path / "read-only", read_only=True) as mounted:
        tracker = OtherProcess(data / "tracker.db")
        tracker.run("PRAGMA wal_autocheckpoint=0", "UPDATE torrents SET completed = 2 WHERE id = 1")
        pin = copying.pin

        def too_late(*arguments: Any) -> Any:
            tracker.crash()
            return pin(*arguments)

        monkeypatch.setattr(copying, "pin", too_late)
        with pytest.raises(SourceError, match="has left at this very moment"):
            copy_of(mounted / "tracker.db", tmp_path)
        monkeypatch.undo()

        assert_recovered(copy_of(mounted / "tracker.db", tmp_path))


@pytest.mark.parametrize("shm", [False, True])
@pytest.mark.parametrize("crashed_as_well", [False, True])
def test_an_empty_wal_beside_a_rollback_database_is_none(
    tmp_path: Path, data: Path, shm: bool, crashed_as_well: bool
) -> None:
    """As a tracker that was killed leaves one, and somebody then puts an older database in its place."""
    build_database(data / "tracker.db", mib=1, journal_mode="delete")
    if crashed_as_well:
        crash_in_mid_transaction(data / "tracker.db")
    (data / "tracker.db-wal").touch()
    if shm:
        (data / "tracker.db-shm").write_bytes(bytes(32768))
    before = contents(data)

    snapshot = copy_of(data / "tracker.db", tmp_path, max_write_stall_seconds=60)

    assert snapshot.method == ("recovered" if crashed_as_well else "pinned")
    assert [entry.name for entry in snapshot.path.parent.iterdir()] == [snapshot.path.name]
    assert check_invariant(snapshot.path, integrity=True)["ok"]
    assert contents(data) == before


@needs_root
def test_a_clean_wal_database_on_a_read_only_mount_is_copied(tmp_path: Path, data: Path) -> None:
    build_database(data / "tracker.db", mib=0.2)
    with bound(data, tmp_path / "read-only", read_only=True) as mounted:
        before = tree(data)
        snapshot = copy_of(mounted / "tracker.db", tmp_path)
        assert tree(data) == before

    assert_recovered(snapshot)
    assert snapshot.engine["journal_mode"] == "wal", "a restore must not silently undo it"


@needs_root
def test_a_hot_journal_on_a_read_only_mount_is_recovered(tmp_path: Path, crashed: Path) -> None:
    with bound(crashed.parent, tmp_path / "read-only", read_only=True) as mounted:
        before = contents(crashed.parent)
        snapshot = copy_of(mounted / "tracker.db", tmp_path)
        assert contents(crashed.parent) == before

    assert_recovered(snapshot)
    assert check_invariant(snapshot.path)["ok"]


@needs_root
def test_a_tracker_at_work_is_copied_through_a_read_only_mount(tmp_path: Path, data: Path) -> None:
    """Its -shm is there, so it can be pinned where it lies."""
    build_database(data / "tracker.db", mib=0.2)
    with bound(data, tmp_path / "read-only", read_only=True) as mounted, OtherProcess(data / "tracker.db") as tracker:
        tracker.run("PRAGMA wal_autocheckpoint=0", "UPDATE torrents SET completed = 2 WHERE id = 1")

        snapshot = copy_of(mounted / "tracker.db", tmp_path)

    assert snapshot.method == "pinned"
    with closing(sqlite3.connect(f"file:{snapshot.path}?immutable=1", uri=True)) as connection:
        assert connection.execute("SELECT sum(completed) FROM torrents").fetchone() == (2,)


@needs_root
def test_a_rollback_database_on_a_read_only_mount_is_copied_as_elsewhere(tmp_path: Path, data: Path) -> None:
    build_database(data / "tracker.db", mib=0.2, journal_mode="delete")
    with bound(data, tmp_path / "read-only", read_only=True) as mounted:
        notes: list[str] = []
        snapshot = copy_of(
            mounted / "tracker.db", tmp_path, max_write_stall_seconds=60, switch_to_wal=True, note=notes.append
        )

    assert snapshot.method == "pinned"
    assert "could not be switched" in notes[0]


@pytest.mark.guarantee(6)
@needs_root
def test_a_recovery_that_does_not_fit_is_an_error_that_leaves_the_source_alone(tmp_path: Path, crashed: Path) -> None:
    before = contents(crashed.parent)
    with small_disk(tmp_path / "disk", 1) as disk, pytest.raises(SourceError, match=f"no room left for {disk}"):
        copy_of(crashed, disk)

    assert contents(crashed.parent) == before
