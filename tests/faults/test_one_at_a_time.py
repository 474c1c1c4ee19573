"""One run, pruning, restore in place or deployment at a time, whoever comes and whatever became of the lock file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.databases import tracker_database
from support.faults import rounds
from support.killing import DYING, visible
from support.program import HALTING, Installation, Running, is_running, wait_until
from support.tracker_standin import check_invariant
from tracker_backup.repository.store import Repository

pytestmark = pytest.mark.guarantee(2)

Tally = Callable[[str, int], None]
STARTS = 20
HOLD = """
import fcntl, os, sys, time
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(file, fcntl.LOCK_EX)
os.ftruncate(file, 0)
os.write(file, sys.argv[2].replace("PID", str(os.getpid())).encode())
print("held", flush=True)
time.sleep(600)
"""
NOTE = '{"pid": PID, "job": "weekly", "phase": "dump index", "started": 1795780800}'


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Return an installation with a small database and one backup."""
    made = Installation(tmp_path / "host", jobs=[{"name": "daily", "schedule": "0 3 * * *", "keep": {"last": 99}}])
    tracker_database(made.database, 0.1)
    Repository(made.repository).init()
    made.back_up()
    return made


def halting_all(installation: Installation) -> tuple[list[Running], Path]:
    """Start many at once; the one that gets to work stands still when it compresses, and its child's id is told."""
    told = installation.directory / "told"
    command = [installation.python, "-I", str(HALTING), "compress", str(told), "--now"]
    return [Running(command, installation.environment()) for _ in range(STARTS)], told


def test_of_twenty_starts_one_works_and_the_others_say_who(installation: Installation, tally: Tally) -> None:
    earlier = visible(installation)
    starts, told = halting_all(installation)
    wait_until(lambda: sum(each.alive() for each in starts) == 1, lambda: "more than one works, or none")
    wait_until(told.exists, lambda: "it does not come to its compression")
    [working] = [each for each in starts if each.alive()]
    refused = [each for each in starts if each is not working]

    assert [each.wait() for each in refused] == [4] * (STARTS - 1)
    said = [each.said() for each in refused]
    assert all("another run is at work" in words for words in said)
    named = [words for words in said if "it has just started" not in words]
    assert all(f"process {working.pid}, job daily, phase " in words and ", since 20" in words for words in named)
    late = installation.run("--now")
    assert late.returncode == 4
    assert f"process {working.pid}, job daily, phase compress tracker, since 20" in late.stderr
    assert visible(installation) == earlier

    os.kill(int(told.read_text()), signal.SIGCONT)
    assert working.wait() == 0, working.said()
    assert len(visible(installation)) == 2
    tally("inputs tried", STARTS)


def test_of_twenty_that_wait_all_get_their_turn(installation: Installation, tally: Tally) -> None:
    many = rounds(STARTS, short=6)
    starts = [installation.start("--now", "--quiet", "--wait") for _ in range(many)]
    assert [each.wait() for each in starts] == [0] * many
    assert len(visible(installation)) == many + 1
    assert installation.left_over() == []
    tally("inputs tried", many)


def test_of_twenty_that_are_due_one_works_and_the_others_find_it_done(installation: Installation, tally: Tally) -> None:
    many = rounds(STARTS, short=6)
    [backup] = [entry for entry in installation.repository.iterdir() if not entry.name.startswith(".")]
    manifest = json.loads((backup / "manifest.json").read_text())
    old = installation.repository / "20250101T030000Z-daily"
    backup.rename(old)
    manifest |= {"id": old.name, "started_at": "2025-01-01T03:00:00Z", "finished_at": "2025-01-01T03:00:01Z"}
    (old / "manifest.json").write_text(json.dumps(manifest))
    os.utime(installation.repository / ".tracker-backup", (1_700_000_000, 1_700_000_000))
    os.utime(installation.config_directory / "default.yml", (1_700_000_000, 1_700_000_000))
    (installation.directory / "state" / "jobs.json").unlink()

    starts = [installation.start("--now", "--if-due", "--quiet", "--wait") for _ in range(many)]

    assert [each.wait() for each in starts] == [0] * many
    assert len(visible(installation)) == 2, "one was due"
    tally("inputs tried", many)


def test_nothing_writes_while_a_run_does(installation: Installation) -> None:
    [backup] = visible(installation)
    before = visible(installation)
    with installation.start_halting("compress", "--now") as running:
        for words in (["prune"], ["keep", backup], ["restore", "latest", "--in-place", "--yes"], ["--now"]):
            done = installation.run(*words)
            assert done.returncode == 4, done.stderr
            assert f"process {running.pid}, job daily, phase compress tracker, since 20" in done.stderr
        assert installation.run("list").returncode == 0
        os.kill(running.halted_pid, signal.SIGCONT)
        assert running.wait() == 0, running.said()
    after = visible(installation)
    assert len(after) == 2
    assert after[backup] == before[backup]


@pytest.mark.guarantee(9)
@pytest.mark.parametrize("instant", [8, 20, 40])
def test_nothing_writes_while_a_restore_in_place_does(installation: Installation, instant: int) -> None:
    """It stands still before one of its steps; whoever comes leaves it alone, and does not take it for dead."""
    command = [installation.python, "-I", str(DYING), "restore", str(instant), "SIGSTOP"]
    command += ["restore", "latest", "--in-place", "--yes"]
    before = visible(installation)
    with Running(command, installation.environment()) as restoring:
        wait_until(lambda: stands_still(restoring.pid), restoring.said, restoring)
        for words in (["--now"], ["prune"], ["restore", "latest", "--in-place", "--yes"]):
            done = installation.run(*words)
            assert done.returncode == 4, done.stderr
            assert f"process {restoring.pid}, job restore --in-place" in done.stderr
        assert installation.run("list").stderr == ""
        assert visible(installation) == before
        with installation.start("--now", "--wait", "--quiet") as waiting:
            wait_until(lambda: waiting.has_open(installation.repository / ".lock"), waiting.said, waiting)
            restoring.signal(signal.SIGCONT)
            assert restoring.wait() == 0, restoring.said()
            assert waiting.wait() == 0, waiting.said()
    assert check_invariant(installation.database, integrity=True)["ok"]
    assert len(visible(installation)) == 2


def stands_still(pid: int) -> bool:
    """Return whether a process was stopped."""
    return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.parametrize("pid", ["dead", "recycled", "none of ours", "nonsense"])
def test_a_stale_lock_file_keeps_nobody_out(installation: Installation, pid: str) -> None:
    """Its number may be another process's by now: only the kernel's lock counts."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    with subprocess.Popen(["sleep", "600"]) as foreign:
        number = {"dead": ended.pid, "recycled": foreign.pid, "none of ours": 1}.get(pid, 0)
        note = NOTE.replace("PID", str(number)) if number else "\x00{" * 300
        (installation.repository / ".lock").write_text(note)
        try:
            assert installation.back_up()["state"] == "verified"
            assert foreign.poll() is None
        finally:
            foreign.kill()


def test_a_living_holder_is_named(installation: Installation) -> None:
    command = [sys.executable, "-c", HOLD, str(installation.repository / ".lock"), NOTE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(1795780800))
        for words in (["--now"], ["prune"], ["--now", "--quiet"]):
            done = installation.run(*words)
            assert done.returncode == 4
            assert f"process {holder.pid}, job weekly, phase dump index, since {since}" in done.stderr
        holder.kill()
    assert installation.back_up()["state"] == "verified"


@pytest.mark.guarantee(1, 5)
@pytest.mark.parametrize("become", ["deleted", "replaced", "emptied", "renamed"])
def test_a_lock_file_that_goes_while_it_is_held_lets_nobody_in(installation: Installation, become: str) -> None:
    """Somebody takes it for stale. The run that holds it would be swept away, or prune what another one counts on."""
    lock = installation.repository / ".lock"
    before = visible(installation)
    with installation.start_halting("compress", "--now") as running:
        if become == "renamed":
            lock.rename(lock.with_name(".lock.old"))
        elif become == "emptied":
            lock.write_bytes(b"")
        else:
            lock.unlink()
        if become == "replaced":
            lock.write_text(NOTE.replace("PID", "1"))
        for words in (["--now"], ["prune"], ["restore", "latest", "--in-place", "--yes"]):
            done = installation.run(*words)
            assert done.returncode == 4, done.stderr
            assert "another run is at work" in done.stderr
        assert installation.left_over() != [], "what it was at is there"
        os.kill(running.halted_pid, signal.SIGCONT)
        assert running.wait() == 0, running.said()
        assert not is_running(running.halted_pid)
    assert before.items() <= visible(installation).items()
    assert len(visible(installation)) == 2
    assert installation.back_up()["state"] == "verified"
