"""File systems and devices that do not answer: the run ends all the same, and the next one is as any other."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from support import impatient
from support.failing_disk import FailingDisk, Fault
from support.program import Installation, Running, sqlite_source, wait_until
from support.small_disk import needs_root
from support.tracker_standin import build_database

pytestmark = [needs_root, pytest.mark.guarantee(16)]
SECONDS = 2
NEVER = 3600.0


@pytest.fixture
def elsewhere(tmp_path: Path, disk: FailingDisk) -> Installation:
    """Return an installation with its database on that disk, and one backup of it."""
    installation = Installation(tmp_path / "host")
    build_database(disk.path / "tracker.db", mib=0.5)
    installation.configure(sources=[sqlite_source("tracker", disk.path / "tracker.db")])
    assert installation.run("init").returncode == 0
    installation.back_up()
    return installation


def impatiently(installation: Installation, *arguments: str, fifo: str = "") -> Running:
    """Start the program such that it gives up after seconds where it would after a minute."""
    command = installation.command(*arguments)
    program = command.index("-I") + 1
    command[program : program + 1] = [impatient.__file__, str(SECONDS), fifo]
    return Running(command, installation.environment())


def waits_for_the_disk(running: Running) -> bool:
    """Return whether its main thread has waited for a disk for a while; in that state it hears no signal."""
    states = set()
    for _ in range(5):
        stat = Path("/proc", str(running.pid), "stat").read_text(encoding="utf-8")
        states.add(stat.rpartition(")")[2].split()[0])
        time.sleep(0.1)
    return states == {"D"}


def expect_healed(installation: Installation, before: dict[str, bytes]) -> None:
    """Expect that the backups of before are as they were, that `status` tells, and that the next run clears up."""
    assert installation.lock_is_free()
    assert {name: content for name, content in installation.published().items() if name in before} == before
    status = json.loads(installation.run("status", "--json").stdout)
    assert "killed" in json.dumps(status)
    installation.back_up()
    assert not installation.left_over()
    assert installation.restored()["ok"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_a_run_that_waits_for_a_disk_for_ever(
    elsewhere: Installation, disk: FailingDisk, number: signal.Signals
) -> None:
    before = elsewhere.published()
    time.sleep(1)  # how runs ended is told to the second
    disk.order(Fault(("read",), name="/tracker.db", delay=NEVER))
    with impatiently(elsewhere, "--now") as running:
        wait_until(lambda: waits_for_the_disk(running), lambda: f"it never waited: {running.said()}", running)
        running.signal(number)
        assert running.wait() == 128 + number
        assert f"{number.name} has come" in running.said()
        assert "does not answer" in running.said()
    disk.order()
    expect_healed(elsewhere, before)


def test_a_run_that_waits_for_a_disk_for_ever_ends_in_time(elsewhere: Installation, disk: FailingDisk) -> None:
    before = elsewhere.published()
    time.sleep(1)  # how runs ended is told to the second
    sources = [sqlite_source("tracker", disk.path / "tracker.db")]
    elsewhere.configure(sources=sources, max_run_seconds=6)
    disk.order(Fault(("read",), name="/tracker.db", delay=NEVER))
    with impatiently(elsewhere, "--now", "--job", "daily", "--wait", "--quiet") as running:
        assert running.wait() == 1
        assert "max_run_seconds have passed" in running.said()
    assert "does not answer" in elsewhere.log.read_text(encoding="utf-8")
    disk.order()
    elsewhere.configure(sources=sources, max_run_seconds=None)
    expect_healed(elsewhere, before)


def test_a_signal_ends_a_run_that_a_fifo_in_a_journals_place_holds(tmp_path: Path) -> None:
    """SQLite opens a journal that it finds, and opens it again whenever a signal interrupts that."""
    host = Installation(tmp_path / "host")
    build_database(host.database, mib=0.5, journal_mode="delete")
    assert host.run("init").returncode == 0
    host.back_up()
    before = host.published()
    time.sleep(1)  # how runs ended is told to the second
    fifo = host.database.with_name(f"{host.database.name}-journal")
    with impatiently(host, "--now", fifo=str(fifo)) as running:
        wait_until(fifo.exists, lambda: f"the FIFO was never made: {running.said()}", running)
        running.signal(signal.SIGTERM)
        assert running.wait() == 128 + signal.SIGTERM
        assert "does not answer" in running.said()
    fifo.unlink()
    expect_healed(host, before)


def in_staging(tmp_path: Path, disk: FailingDisk, **settings: object) -> Installation:
    """Return an installation whose copies are made on that disk, and one backup of it."""
    host = Installation(tmp_path / "host")
    build_database(host.database, mib=0.5)
    host.configure(staging=str(disk.path), **settings)
    assert host.run("init").returncode == 0
    host.back_up()
    return host


def has_ended(pid: int) -> bool:
    """Return whether a program has ended as far as it can: not even SIGKILL ends a thread that waits in FUSE."""
    return Path("/proc", str(pid), "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("limit", [False, True])
def test_a_flush_that_does_not_end_holds_nobody_up(tmp_path: Path, disk: FailingDisk, limit: bool) -> None:
    """It is a thread that waits for it; the run hears what is to end it, and leaves the thread alone."""
    host = Installation(tmp_path / "host")
    build_database(host.database, mib=0.5)
    host.configure(staging=str(disk.path))
    assert host.run("init").returncode == 0
    host.back_up()
    before = host.published()
    time.sleep(1)  # how runs ended is told to the second
    host.configure(max_run_seconds=6 if limit else None)
    disk.order(Fault(("fsync",), name="*/tracker.sqlite3", delay=NEVER))
    with impatiently(host, "--now") as running:
        wait_until(lambda: host.phase() == "copy tracker" or has_ended(running.pid), running.said, running)
        if not limit:
            time.sleep(1)  # until it waits for the flush
            running.signal(signal.SIGTERM)
        wait_until(lambda: has_ended(running.pid), running.said)
        disk.order()
        assert running.wait() == (1 if limit else 128 + signal.SIGTERM), running.said()
    assert host.lock_is_free()
    host.configure(max_run_seconds=None)
    assert {name: content for name, content in host.published().items() if name in before} == before
    host.back_up()
    assert not host.left_over()
