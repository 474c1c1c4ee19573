"""Runs that meet, hang or stand still: both jobs are done, no run is for ever, and the status says so meanwhile."""

from __future__ import annotations

import json
import os
import signal
from itertools import pairwise
from pathlib import Path

import pytest

from support.databases import tracker_database
from support.instance import Instance
from support.program import Installation, is_running, wait_until
from tracker_backup.repository.store import Repository


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Return the program configured for a database of its own."""
    made = Installation(tmp_path / "host")
    tracker_database(made.database, 1)
    Repository(made.repository).init()
    return made


@pytest.mark.guarantee(2)
def test_jobs_of_the_same_minute_run_one_after_the_other(instance: Instance) -> None:
    """As cron starts them: at once, each a process of its own, and the hourly entry with them."""
    names = ["hourly", "daily", "weekly"]
    instance.configure(jobs=[{"name": name, "schedule": "0 3 1 1 *"} for name in names])
    commands = [("--now", "--job", name, "--wait", "--quiet") for name in names]

    processes = [instance.start(*words) for words in (*commands, ("--now", "--if-due", "--wait", "--quiet"))]
    said = [process.communicate(timeout=120) for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0, 0], said
    manifests = [backup.manifest for backup in instance.repository.backups()]
    found = sorted((item.started_at, item.finished_at, item.job) for item in manifests if item is not None)
    assert sorted(job for _, _, job in found) == sorted(names)
    assert all(before[1] <= after[0] for before, after in pairwise(found)), found


@pytest.mark.guarantee(16)
@pytest.mark.parametrize("phase", ["check", "read back"])
def test_a_child_that_hangs_is_ended_with_its_run(installation: Installation, phase: str) -> None:
    with installation.start_halting(phase, "--now") as running:
        children = running.children()
        running.signal(signal.SIGALRM)  # what comes when max_run_seconds are over, however long it took to get here
        assert running.wait() == 1
        assert "max_run_seconds" in running.said()

    assert [pid for pid in children if is_running(pid)] == []
    assert installation.published() == {}
    assert installation.left_over() == []


@pytest.mark.guarantee(12)
def test_a_run_that_is_stopped_is_told_of_and_ends_once_it_goes_on(installation: Installation) -> None:
    with installation.start_halting("compress", "--now") as running:
        running.signal(signal.SIGSTOP)
        installation.configure(max_run_seconds=2)  # of those that come to look, or wait for it
        wait_until(lambda: f"process {running.pid}" in reasons(installation), lambda: reasons(installation))
        assert f"sudo kill -CONT {running.pid}" in reasons(installation)

        lock = installation.repository / ".lock"
        holder = json.loads(lock.read_bytes())
        earlier = {clock: holder[clock] - 100 for clock in ("started", "started_boottime")}
        lock.write_text(json.dumps(holder | earlier), encoding="ascii")
        assert "a run hangs, for longer than max_run_seconds (2 s)" in reasons(installation)

        # Whoever waits for it gives up, and leaves word for those who may not look.
        waited = installation.run("--now", "--wait", "--quiet")
        assert waited.returncode == 4
        assert f"process {running.pid}" in waited.stderr
        written = (installation.directory / "state" / "status.json").read_text(encoding="utf-8")
        assert "a run hangs" in written

        running.signal(signal.SIGALRM)  # its own time is over meanwhile
        running.signal(signal.SIGCONT)
        assert running.wait() == 1
        assert "max_run_seconds" in running.said()
    assert installation.lock_is_free()
    installation.configure(max_run_seconds=None)
    installation.back_up()


def reasons(installation: Installation) -> str:
    """Return what the status has to say."""
    document = json.loads(installation.run("status", "--json").stdout)
    return "\n".join(reason["text"] for reason in document["reasons"])


@pytest.mark.guarantee(16)
def test_a_pipe_in_a_files_place_holds_nobody_up(installation: Installation) -> None:
    installation.database.unlink()
    os.mkfifo(installation.database)

    done = installation.run("--now", "--quiet")

    assert done.returncode == 1
    assert "is not a file" in done.stderr
