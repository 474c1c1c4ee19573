"""Where the file systems can, a copy shares its blocks with the database: real XFS and btrfs, under writers."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.cloning_disk import bound, cloning_disk
from support.copying import copy_of, verdict_on
from support.faults import rounds
from support.program import ROOT
from support.small_disk import needs_root
from support.sqlite_world import FREE_BYTES_OF_PAGE_1, OtherProcess, differing_bytes, expected_pages, locks_of
from support.tracker_standin import Writer, build_database, check_invariant
from tracker_backup.errors import SourceError
from tracker_backup.sources.interface import Snapshot
from tracker_backup.sources.sqlite import clone as cloning
from tracker_backup.sources.sqlite import facts as finding

pytestmark = needs_root
NEWER = "CREATE VIEW v AS SELECT something_new(id OVER AND OUT) FROM torrents"
LIMIT = 60
"""How long a clone may hold up the tracker here: whoever else uses this machine is not what is tested."""


@pytest.fixture(scope="module", params=["xfs", "btrfs"])
def disk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a disk that clones."""
    with cloning_disk(tmp_path_factory.mktemp("disks") / "disk", request.param) as mounted:
        yield mounted


@pytest.fixture
def place(disk: Path, request: pytest.FixtureRequest) -> Path:
    """Return a directory of the test's own on the disk."""
    directory = disk / str(abs(hash(request.node.name)))
    directory.mkdir()
    return directory


def cloned(path: Path, into: Path, **context: Any) -> Snapshot:
    """Copy a database, and see to it that it was cloned with nothing left beside the copy."""
    snapshot = copy_of(path, into, max_write_stall_seconds=LIMIT, **context)
    assert snapshot.method == "clone"
    assert [entry.name for entry in snapshot.path.parent.iterdir()] == [snapshot.path.name]
    assert snapshot.path.stat().st_mode & 0o777 == 0o600
    return snapshot


def clone_under_writers(path: Path, into: Path, number: int, rate: float) -> None:
    """Clone a database again and again under two writers; each copy must be whole, and later than the one before."""
    last = -1
    with Writer(path, rate, busy_timeout=60) as one, Writer(path, rate, busy_timeout=60) as other:
        for _ in range(number):
            snapshot = cloned(path, into)
            state = check_invariant(snapshot.path, integrity=True)
            assert state["ok"], state
            assert state["counter"] >= last
            assert 0 < snapshot.write_stall_seconds < LIMIT
            assert snapshot.seconds == snapshot.write_stall_seconds, "the lock's time, not the recovery's in staging"
            assert snapshot.pause_seconds == 0
            snapshot.path.unlink()
            last = state["counter"]
        reports = [one.stop(), other.stop()]
    assert [report["failed"] for report in reports] == [0, 0]
    assert last > 0, "the writers were at work meanwhile"
    assert check_invariant(path, integrity=True)["ok"]


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_clones_under_two_writers_are_whole(place: Path, mode: str) -> None:
    build_database(place / "tracker.db", mib=4, journal_mode=mode)

    clone_under_writers(place / "tracker.db", place, 4, rate=20)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_many_clones_in_a_row_under_two_writers_are_whole(place: Path, mode: str) -> None:
    """Each clone fragments the live file a bit more."""
    build_database(place / "tracker.db", mib=32, journal_mode=mode)

    clone_under_writers(place / "tracker.db", place, rounds(40, short=4), rate=100)


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_clone_is_the_snapshot_byte_for_byte(place: Path, mode: str, page_size: int) -> None:
    path = place / "tracker.db"
    with OtherProcess(path) as tracker:
        tracker.run(
            f"PRAGMA page_size={page_size}",
            f"PRAGMA journal_mode={mode}",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, h BLOB UNIQUE)",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
            " INSERT INTO t SELECT i, randomblob(40) FROM n",
            "PRAGMA wal_checkpoint(TRUNCATE)",
            "PRAGMA wal_autocheckpoint=0",
            "DELETE FROM t WHERE id % 3 = 0",
            "UPDATE t SET h = randomblob(60) WHERE id % 5 = 0",
        )
        wal = path.with_name("tracker.db-wal")
        assert wal.exists() == (mode == "wal")
        expected = expected_pages(path, wal)

        snapshot = cloned(path, place)

    differing = differing_bytes(expected, snapshot.path.read_bytes())
    assert set(differing) <= {1}
    assert set(differing.get(1, [])) <= FREE_BYTES_OF_PAGE_1
    assert snapshot.engine["journal_mode"] == ("wal" if mode == "wal" else "rollback")
    assert (snapshot.engine["page_size"], snapshot.engine["page_count"]) == (page_size, len(expected))
    assert verdict_on(snapshot.path).ok is True


@pytest.mark.guarantee(6)
def test_a_clone_does_not_change_the_database(place: Path) -> None:
    path = place / "tracker.db"
    tracker = OtherProcess(path)
    tracker.run(
        "PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=0", "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)"
    )
    tracker.crash()
    before = {name: place.joinpath(name).read_bytes() for name in ("tracker.db", "tracker.db-wal")}

    snapshot = cloned(path, place)

    assert {name: place.joinpath(name).read_bytes() for name in before} == before
    with closing(sqlite3.connect(snapshot.path)) as connection:
        assert connection.execute("SELECT a FROM t").fetchall() == [(1,)]


def test_a_schema_of_a_newer_sqlite_is_cloned_with_its_wal(place: Path) -> None:
    """Folding the -wal must not need the schema to be understood."""
    path = place / "newer.db"
    build_database(path, mib=0.1)
    with OtherProcess(path) as tracker:
        tracker.run("PRAGMA wal_autocheckpoint=0", "PRAGMA writable_schema=ON")
        tracker.run(f"INSERT INTO sqlite_schema VALUES ('view', 'v', 'v', 0, '{NEWER}')")

        found = verdict_on(cloned(path, place).path)

    assert found.ok is True
    assert "needs a newer SQLite" in found.messages[0]


@pytest.mark.guarantee(6)
@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_the_lock_is_held_until_all_is_cloned(place: Path, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing any descriptor of the source before the lock is let go would drop it, without a word."""
    path = place / "tracker.db"
    build_database(path, mib=1, journal_mode=mode)
    locked = path if mode == "delete" else path.with_name("tracker.db-shm")
    seen = []
    clone = cloning._clone

    def look(*arguments: Any) -> None:
        seen.append(locks_of(os.getpid(), locked))
        clone(*arguments)
        seen.append(locks_of(os.getpid(), locked))

    monkeypatch.setattr(cloning, "_clone", look)
    cloned(path, place)

    assert len(seen) == (4 if mode == "wal" else 2)
    assert all(seen)
    assert locks_of(os.getpid(), path) == []


CLOSES = """
import os, sqlite3, sys
from pathlib import Path
sys.path[:0] = [sys.argv[1] + "/scripts", sys.argv[1] + "/tests"]
from support.copying import copy_of
from tracker_backup.sources.sqlite import clone
source, into = Path(sys.argv[2]), Path(sys.argv[3])
events = []
real_close, real_open = os.close, clone.open_source
watched = {os.stat(str(source) + suffix).st_ino for suffix in ("", "-wal") if os.path.exists(str(source) + suffix)}
class Watched:
    def __init__(self, connection): self.connection = connection
    def execute(self, *words): return self.connection.execute(*words)
    def close(self):
        events.append("let go")
        self.connection.close()
def close(descriptor):
    if os.fstat(descriptor).st_ino in watched:
        events.append("close")
    real_close(descriptor)
clone.open_source = lambda database: Watched(real_open(database))
os.close = close
print(copy_of(source, into).method, events[events.index("let go"):], events[:events.index("let go")].count("close"))
"""


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_no_descriptor_of_the_source_is_closed_before_the_lock_is_gone(place: Path, mode: str) -> None:
    """Those that are closed earlier are the first look's and the trial's, before SQLite has the database open."""
    path = place / "tracker.db"
    build_database(path, mib=1, journal_mode=mode)
    with OtherProcess(path) as tracker:
        tracker.run("UPDATE torrents SET completed = 0 WHERE id = 1")

        done = subprocess.run(
            [sys.executable, "-I", "-c", CLOSES, str(ROOT), str(path), str(place)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    closes = ["close"] * (3 if mode == "wal" else 2)  # the database's, and its own for the clone; the -wal's
    assert (done.stdout, done.stderr) == (f"clone {['let go', *closes]} 2\n", "")


def test_one_that_changes_to_wal_mode_at_the_last_moment_is_cloned_with_its_wal(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cloned as it was seen, it would lack what is in the -wal, or be malformed."""
    path = place / "tracker.db"
    build_database(path, mib=0.2, journal_mode="delete")
    open_source = cloning.open_source
    with OtherProcess(path) as tracker:

        def open_late(*arguments: Any) -> sqlite3.Connection:
            tracker.run("PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=0")
            tracker.run("UPDATE torrents SET completed = 1 WHERE id <= 3")
            return open_source(*arguments)

        monkeypatch.setattr(cloning, "open_source", open_late)
        snapshot = cloned(path, place)

    assert check_invariant(snapshot.path, integrity=True)["completed"] == 3
    assert snapshot.engine["journal_mode"] == "wal"


def test_one_that_leaves_wal_mode_at_the_last_moment_is_cloned_whole(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place / "tracker.db"
    build_database(path, mib=0.2)
    open_source = cloning.open_source

    def open_late(*arguments: Any) -> sqlite3.Connection:
        with OtherProcess(path) as tracker:
            tracker.run("UPDATE torrents SET completed = 1 WHERE id <= 3", "PRAGMA journal_mode=DELETE")
        return open_source(*arguments)

    monkeypatch.setattr(cloning, "open_source", open_late)
    snapshot = cloned(path, place)

    assert check_invariant(snapshot.path, integrity=True)["completed"] == 3
    assert snapshot.engine["journal_mode"] == "rollback"


@pytest.mark.guarantee(4, 6)
@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA wal_checkpoint(PASSIVE)",
        "PRAGMA wal_checkpoint(FULL)",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "VACUUM",
        "CREATE TABLE another (a)",
        "DELETE FROM torrents",
        "PRAGMA journal_mode=DELETE",
    ],
)
@pytest.mark.parametrize("checkpointed", [True, False])
def test_nothing_that_happens_between_the_two_clones_tears_them_apart(
    place: Path, monkeypatch: pytest.MonkeyPatch, statement: str, checkpointed: bool
) -> None:
    """The -wal is cloned first, and the pin keeps what is in it from being overwritten in either file."""
    path = place / "tracker.db"
    build_database(path, mib=0.5)
    clone, answers = cloning._clone, []
    with OtherProcess(path, timeout=0.1) as tracker:
        tracker.run("PRAGMA wal_autocheckpoint=0", "UPDATE torrents SET completed = 1 WHERE id <= 100")
        tracker.run("UPDATE torrent_aggregate_metrics SET value = 100")
        if checkpointed:
            tracker.run("PRAGMA wal_checkpoint(PASSIVE)")

        def act(*arguments: Any) -> None:
            clone(*arguments)
            if arguments[2] == "-wal":
                try:
                    answers.append(tracker.run(statement))
                except AssertionError as error:
                    answers.append(str(error))

        monkeypatch.setattr(cloning, "_clone", act)
        snapshot = cloned(path, place)

    assert len(answers) == 1
    state = check_invariant(snapshot.path, integrity=True)
    assert (state["ok"], state["counter"]) == (True, 100), (state, answers)


def test_one_file_system_at_two_places_clones_between_them(tmp_path: Path, disk: Path, place: Path) -> None:
    """Subvolumes and bind mounts: the database's and the staging's mount need not be the same."""
    build_database(place / "tracker.db", mib=0.2)
    if (
        subprocess.run(["stat", "-f", "-c", "%T", str(disk)], capture_output=True, text=True, check=True).stdout
        == "btrfs\n"
    ):
        subprocess.run(["btrfs", "-q", "subvolume", "create", str(place / "other")], check=True)
    else:
        (place / "other").mkdir()

    with bound(place / "other", tmp_path / "bound") as staging:
        assert verdict_on(cloned(place / "tracker.db", staging).path).ok is True


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_staging_on_another_disk_is_copied_into(tmp_path: Path, place: Path, mode: str) -> None:
    build_database(place / "tracker.db", mib=0.2, journal_mode=mode)

    snapshot = copy_of(place / "tracker.db", tmp_path, max_write_stall_seconds=LIMIT)

    assert snapshot.method == "pinned"
    assert check_invariant(snapshot.path, integrity=True)["ok"]


@pytest.fixture(scope="module")
def plain_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return an XFS that was made without the ability."""
    with cloning_disk(tmp_path_factory.mktemp("disks") / "plain", "xfs without reflink") as mounted:
        yield mounted


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_an_xfs_without_reflink_is_copied_from(plain_disk: Path, mode: str) -> None:
    path = plain_disk / f"{mode}.db"
    build_database(path, mib=0.2, journal_mode=mode)
    with Writer(path, busy_timeout=60) as writer:
        snapshot = copy_of(path, plain_disk, max_write_stall_seconds=LIMIT)
        assert writer.stop()["failed"] == 0

    assert snapshot.method == "pinned"
    assert [entry.name for entry in snapshot.path.parent.iterdir()] == [snapshot.path.name]
    assert check_invariant(snapshot.path, integrity=True)["ok"]


def test_what_cannot_be_cloned_and_is_too_large_is_paused_or_refused_as_elsewhere(
    plain_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only now is Docker asked: a clone would not have needed it."""
    path = plain_disk / "large.db"
    build_database(path, mib=0.2, journal_mode="delete")
    asked = []
    monkeypatch.setattr(finding, "service_state", lambda *_: asked.append(1) or "there is no docker here")

    with pytest.raises(SourceError, match="its service cannot be paused: there is no docker here"):
        copy_of(path, plain_disk, last_rate=1000)

    assert asked == [1]


def failing(number: int, suffix: str) -> Callable[..., int]:
    """Return an ioctl that fails for the file with that suffix, and works for others."""
    ioctl = fcntl.ioctl

    def fail(copy: int, request: int, source: int) -> int:
        if Path(f"/proc/self/fd/{source}").readlink().name == f"tracker.db{suffix}":
            raise OSError(number, os.strerror(number))
        return ioctl(copy, request, source)

    return fail


@pytest.mark.parametrize("suffix", ["", "-wal"])
@pytest.mark.parametrize(
    ("number", "message"),
    [(errno.ENOSPC, "no room left for"), (errno.EDQUOT, "no room left for"), (errno.EIO, "cannot clone .*tracker.db")],
)
def test_a_clone_that_fails_leaves_no_lock_and_no_file(
    place: Path, monkeypatch: pytest.MonkeyPatch, number: int, message: str, suffix: str
) -> None:
    path = place / "tracker.db"
    build_database(path, mib=0.2)
    monkeypatch.setattr(cloning.fcntl, "ioctl", failing(number, suffix))

    with pytest.raises(SourceError, match=message) as raised:
        copy_of(path, place)

    assert raised.value.hint is not None
    assert locks_of(os.getpid(), path) == []
    assert [list(entry.iterdir()) for entry in place.iterdir() if entry.is_dir()] == [[]]


@pytest.mark.parametrize("suffix", ["", "-wal"])
@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.EPERM, errno.ENOTTY])
def test_a_clone_that_is_not_supported_is_a_copy(
    place: Path, monkeypatch: pytest.MonkeyPatch, number: int, suffix: str
) -> None:
    """A file without copy-on-write, an older kernel: the -wal that was cloned by then must not stay."""
    build_database(place / "tracker.db", mib=0.2)
    monkeypatch.setattr(cloning.fcntl, "ioctl", failing(number, suffix))

    snapshot = copy_of(place / "tracker.db", place)

    assert snapshot.method == "pinned"
    assert [entry.name for entry in snapshot.path.parent.iterdir()] == [snapshot.path.name]
    assert verdict_on(snapshot.path).ok is True


@pytest.mark.guarantee(6)
@pytest.mark.parametrize("kind", ["replaced", "removed"])
def test_a_file_that_is_another_one_after_the_clone_is_an_error(
    place: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path, other = place / "tracker.db", place / "other.db"
    build_database(path, mib=0.1)
    build_database(other, mib=0.1)
    clone = cloning._clone

    def act(*arguments: Any) -> None:
        clone(*arguments)
        if arguments[2] == "":
            path.unlink() if kind == "removed" else other.replace(path)

    monkeypatch.setattr(cloning, "_clone", act)
    with pytest.raises(SourceError, match=r"vanished during the copy|was replaced by another file during the copy"):
        copy_of(path, place)


def test_a_lock_that_is_not_to_be_had_is_no_clone(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tracker_backup.sources.sqlite import copy as copying

    path = place / "tracker.db"
    build_database(path, mib=0.1, journal_mode="delete")
    monkeypatch.setattr(copying, "LOCK_TIMEOUT_SECONDS", 0.3)
    with OtherProcess(path) as tracker:
        tracker.run("BEGIN EXCLUSIVE")
        with pytest.raises(SourceError, match="is locked by another program"):
            copy_of(path, place)

    assert [list(entry.iterdir()) for entry in place.iterdir() if entry.is_dir()] == [[]]


def test_the_shared_blocks_are_the_copy_s_own_once_they_are_written(place: Path) -> None:
    path = place / "tracker.db"
    build_database(path, mib=1, journal_mode="delete")
    snapshot = cloned(path, place)
    before = snapshot.path.read_bytes()

    with OtherProcess(path) as tracker:
        tracker.run("UPDATE torrents SET completed = 9", "VACUUM")

    assert snapshot.path.read_bytes() == before
    assert snapshot.raw_bytes == len(before)
