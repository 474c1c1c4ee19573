"""The switch to WAL mode, where the configuration asks for it, under connections that are open and at work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import pytest

from support.copying import copy_of, verdict_on
from support.program import tree
from support.small_disk import needs_root
from support.sqlite_world import OtherProcess
from support.tracker_standin import Writer, build_database, check_invariant
from tracker_backup.sources.interface import Snapshot
from tracker_backup.sources.sqlite import switch
from tracker_backup.sources.sqlite.opening import look_at
from tracker_backup.system.filesystem import Mount

POOL = """
import json, random, sqlite3, sys, threading
path, stop, failed = sys.argv[1], threading.Event(), []
def work(number):
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    while not stop.is_set():
        try:
            if number % 2:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("UPDATE torrents SET completed = completed + 1 WHERE id = ?", (number,))
                connection.execute("UPDATE torrent_aggregate_metrics SET value = value + 1")
                connection.execute("COMMIT")
            else:
                connection.execute("SELECT sum(completed) FROM torrents").fetchall()
        except sqlite3.Error as error:
            failed.append(str(error))
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        stop.wait(random.random() / 50)
    connection.close()
idle = sqlite3.connect(path, isolation_level=None)
idle.execute("SELECT count(*) FROM torrents").fetchall()
threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
for thread in threads:
    thread.start()
print("ready", flush=True)
sys.stdin.read()
stop.set()
for thread in threads:
    thread.join()
idle.execute("SELECT count(*) FROM torrents").fetchall()
print(json.dumps(failed))
"""


class Pool:
    """Six connections of another process that read and write, and an idle one."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", POOL, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def stop(self) -> Any:
        """End it, and return the errors that its statements had."""
        return json.loads(self._process.communicate()[0])


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return a tracker's database with a rollback journal, in a directory of its own."""
    path = tmp_path / "data" / "tracker.db"
    path.parent.mkdir()
    build_database(path, mib=0.5, journal_mode="delete")
    return path


def switching_copy(path: Path, into: Path, **context: Any) -> tuple[Snapshot, list[str]]:
    """Copy a database that is to be switched, and return what was said as well."""
    notes: list[str] = []
    context.setdefault("max_write_stall_seconds", 30)
    return copy_of(path, into, switch_to_wal=True, note=notes.append, **context), notes


@pytest.mark.guarantee(6)
def test_a_pool_at_work_follows_without_a_failed_statement(tmp_path: Path, database: Path) -> None:
    """The mode stays after all connections are closed, and is what the next run finds."""
    wal = database.with_name("tracker.db-wal")
    with Pool(database) as pool:
        snapshot, notes = switching_copy(database, tmp_path)
        assert notes == [f"{database} was switched to WAL mode"]
        give_up = time.monotonic() + 60
        while not wal.exists() or not wal.stat().st_size:
            assert time.monotonic() < give_up, "nobody writes to the -wal"
            time.sleep(0.02)
        assert pool.stop() == []

    assert (snapshot.engine["journal_mode"], snapshot.write_stall_seconds) == ("wal", 0)
    assert check_invariant(snapshot.path, integrity=True)["ok"]
    assert look_at(database).wal_mode
    assert check_invariant(database, integrity=True)["ok"]
    assert switching_copy(database, tmp_path)[1] == [], "there is nothing left to do, and to say"


def test_the_standin_follows_too(tmp_path: Path, database: Path) -> None:
    with Writer(database, rate=200, busy_timeout=30) as writer:
        snapshot, _ = switching_copy(database, tmp_path)
        assert writer.stop()["failed"] == 0

    assert check_invariant(snapshot.path, integrity=True)["ok"]


@pytest.mark.parametrize("transaction", [["BEGIN", "SELECT count(*) FROM torrents"], ["BEGIN IMMEDIATE"]])
def test_an_open_transaction_keeps_it_as_it_is_and_it_is_copied_all_the_same(
    tmp_path: Path, database: Path, transaction: list[str]
) -> None:
    with OtherProcess(database) as tracker:
        tracker.run(*transaction)
        snapshot, notes = switching_copy(database, tmp_path, max_write_stall_seconds=1)
        tracker.run("COMMIT", "UPDATE torrents SET completed = 0 WHERE id = 1")

    assert len(notes) == 1
    assert notes[0] == f"{database} could not be switched to WAL mode tonight: database is locked"
    assert snapshot.engine["journal_mode"] == "rollback"
    assert verdict_on(snapshot.path).ok is True
    assert not look_at(database).wal_mode


def test_one_that_is_flipped_back_is_switched_again(tmp_path: Path, database: Path) -> None:
    """An application may set a journal mode of its own whenever it connects; that is said each time."""
    for _ in range(2):
        assert switching_copy(database, tmp_path)[1] == [f"{database} was switched to WAL mode"]
        with OtherProcess(database) as tracker:
            assert tracker.run("PRAGMA journal_mode=DELETE") == [["delete"]]


@pytest.mark.guarantee(6)
def test_nothing_is_switched_that_nobody_asked_for(tmp_path: Path, database: Path) -> None:
    before = tree(database.parent)

    copy_of(database, tmp_path, max_write_stall_seconds=30)

    assert tree(database.parent) == before


def assert_never_switched(tmp_path: Path, database: Path, why: str, **context: Any) -> None:
    """Copy a database that must not be switched, and see to it that it was said and not tried."""
    before = tree(database.parent)

    snapshot, notes = switching_copy(database, tmp_path, **context)

    assert snapshot.engine["journal_mode"] == "rollback"
    assert len(notes) == 1
    assert why in notes[0]
    assert tree(database.parent) == before


def test_a_mounted_file_is_never_switched(tmp_path: Path, database: Path) -> None:
    """Its container would write a -wal that the host cannot see."""
    assert_never_switched(tmp_path, database, "its container sees this single file only", mount="file")


def test_a_file_of_two_names_is_never_switched(tmp_path: Path, database: Path) -> None:
    """Each name would have a -wal of its own."""
    os.link(database, tmp_path / "other-name.db")

    assert_never_switched(tmp_path, database, "the file has more than one name")


def test_a_file_on_a_network_is_never_switched(tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switch, "mount_of", lambda _path: Mount("/data", "nfs4", "0:50"))

    assert_never_switched(tmp_path, database, "it is on a network file system")


def test_another_user_s_file_is_never_switched(tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would get a -wal and a -shm of ours, which its owner cannot open."""
    monkeypatch.setattr(os, "geteuid", lambda: database.stat().st_uid + 1)

    assert_never_switched(tmp_path, database, "it belongs to another user")


@needs_root
def test_what_root_switches_stays_its_owner_s(tmp_path: Path, database: Path) -> None:
    for path in (database.parent, database):
        os.chown(path, 65534, 65534)

    switching_copy(database, tmp_path)

    assert look_at(database).wal_mode
    assert {path.stat().st_uid for path in database.parent.iterdir()} == {65534}


@pytest.mark.usefixtures("database")
def test_a_database_that_is_damaged_is_told_by_the_copy(tmp_path: Path, database: Path) -> None:
    with closing(database.open("r+b")) as file:
        file.seek(100)
        file.write(b"\xff" * 3996)

    snapshot, notes = switching_copy(database, tmp_path)

    assert len(notes) == 1
    assert verdict_on(snapshot.path).ok is False
