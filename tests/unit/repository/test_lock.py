"""The lock: one at a time, the holder by name, free when it dies."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tracker_backup.errors import LockHeldError, RepositoryError
from tracker_backup.repository.lock import RepositoryLock, describe_holder, read_holder

pytestmark = pytest.mark.guarantee(2)

HOLD = """
import fcntl, json, os, sys, time
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(file, fcntl.LOCK_EX)
os.write(file, sys.argv[2].encode())
print("held", flush=True)
time.sleep(60)
"""


@contextmanager
def held(
    repository: Path, note: str = '{"pid": 7, "job": "daily", "phase": "copy tracker", "started": 3000000}'
) -> Iterator[None]:
    """Let another process hold the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, repository / ".lock", note], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_it_is_free_at_first_and_after_release(tmp_path: Path) -> None:
    for _ in range(2):
        with RepositoryLock(tmp_path).acquire(job="daily"):
            assert read_holder(tmp_path) is not None
        assert read_holder(tmp_path) is None


def test_who_has_it_is_told(tmp_path: Path) -> None:
    with (
        held(tmp_path),
        pytest.raises(
            LockHeldError, match="another run is at work: process 7, job daily, phase copy tracker, since 1970"
        ),
    ):
        RepositoryLock(tmp_path).acquire(job="daily")


@pytest.mark.parametrize(
    "note", ["", "{", "[]", '{"pid": 1}', '{"started": "soon"}', '{"started": 1e300}', "\xff" * 9000]
)
def test_a_strange_note_is_no_crash(tmp_path: Path, note: str) -> None:
    with held(tmp_path, note), pytest.raises(LockHeldError, match="another run is at work"):
        RepositoryLock(tmp_path).acquire(job="daily")


def test_a_dead_holder_has_nothing(tmp_path: Path) -> None:
    with held(tmp_path):
        assert read_holder(tmp_path) is not None
    assert (tmp_path / ".lock").read_text(encoding="utf-8")

    assert read_holder(tmp_path) is None
    with RepositoryLock(tmp_path).acquire(job="daily"):
        pass


def test_waiting_ends_when_the_holder_does(tmp_path: Path) -> None:
    with held(tmp_path):
        waiting: list[object] = []

        def wait() -> None:
            with RepositoryLock(tmp_path).acquire(job="weekly", wait_seconds=60):
                waiting.append(read_holder(tmp_path))

        thread = threading.Thread(target=wait)
        thread.start()
        assert waiting == []
    thread.join(30)

    assert isinstance(waiting[0], dict)
    assert waiting[0]["job"] == "weekly"


def test_waiting_has_an_end(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(LockHeldError):
        RepositoryLock(tmp_path).acquire(job="daily", wait_seconds=0.1)


def test_the_note_says_what_is_done_now(tmp_path: Path) -> None:
    lock = RepositoryLock(tmp_path)
    with lock.acquire(job="daily"):
        lock.phase("compress a-source-with-a-long-name")
        lock.phase("copy")

        note = json.loads((tmp_path / ".lock").read_text(encoding="utf-8"))
        assert (note["pid"], note["job"], note["phase"]) == (os.getpid(), "daily", "copy")
        assert f"process {os.getpid()}, job daily, phase copy, since 20" in describe_holder(tmp_path)


@pytest.mark.parametrize("left", [b"", b'{"pid": 1, "job": "of one that died"}' * 9, b"\n" * 10_000])
def test_whoever_stops_between_two_steps_has_said_who_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: bytes
) -> None:
    said: list[str] = []
    calls = {name: getattr(os, name) for name in ("pwrite", "ftruncate")}

    def then_ask(name: str, *given: object) -> object:
        result = calls[name](*given)
        said.append(describe_holder(tmp_path))
        return result

    (tmp_path / ".lock").write_bytes(left)
    for name in calls:
        monkeypatch.setattr(os, name, lambda *given, name=name: then_ask(name, *given))
    with RepositoryLock(tmp_path).acquire(job="restore --in-place") as lock:
        for phase in ("compress a source of a long name", "a", "check it"):
            lock.phase(phase)
        during = [*said]
    assert len(during) == 4
    assert all(f"process {os.getpid()}, job restore --in-place, phase " in each for each in during), during


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".lock").symlink_to(tmp_path / "victim")

    with pytest.raises(RepositoryError, match="cannot open the lock"):
        RepositoryLock(tmp_path).acquire(job="daily")
    assert not (tmp_path / "victim").exists()


def test_those_who_ask_keep_nobody_out(tmp_path: Path) -> None:
    """`status` looks at the lock; a run that starts at this moment must not think that another one is at work."""
    RepositoryLock(tmp_path).acquire(job="first").release()
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            read_holder(tmp_path)

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    try:
        for _ in range(100):
            RepositoryLock(tmp_path).acquire(job="daily").release()
    finally:
        stop.set()
        for asker in askers:
            asker.join()


def test_a_reader_that_hangs_keeps_a_run_out_but_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker_backup.repository.lock._PATIENCE_SECONDS", 0.05)
    reader = os.open(tmp_path / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(reader, fcntl.LOCK_SH)
    try:
        with pytest.raises(LockHeldError):
            RepositoryLock(tmp_path).acquire(job="daily")
    finally:
        os.close(reader)


def test_a_disk_without_room_for_the_note_ends_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)

    with RepositoryLock(tmp_path).acquire(job="daily") as lock:
        lock.phase("copy")


def test_twenty_at_once_go_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker_backup.repository.lock._WAIT_SECONDS", 0.01)
    inside, most = 0, 0
    guard = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        with RepositoryLock(tmp_path).acquire(job="daily", wait_seconds=60):
            with guard:
                inside += 1
                most = max(most, inside)
            time.sleep(0.001)
            with guard:
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert (inside, most) == (0, 1)


@pytest.mark.parametrize("become", ["deleted", "replaced"])
def test_a_lock_file_that_goes_while_it_is_held_lets_nobody_in(tmp_path: Path, become: str) -> None:
    (tmp_path / ".tracker-backup").touch()
    lock = tmp_path / ".lock"
    with RepositoryLock(tmp_path).acquire(job="daily"):
        lock.unlink()
        if become == "replaced":
            lock.write_text("{}")

        with pytest.raises(LockHeldError, match=r"has been deleted or replaced meanwhile"):
            RepositoryLock(tmp_path).acquire(job="other")

    RepositoryLock(tmp_path).acquire(job="other").release()
    assert read_holder(tmp_path) is None
