"""A restore in place under a tracker that writes, in a container of a real Docker Engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from support.engine import IMAGE, TrackerContainer, docker
from support.inplace_world import OWNER, back_up_and_go_on, dress, expect_whole, kept, left_over, mark
from support.program import Installation, wait_until
from support.tracker_standin import build_database, check_invariant

Start = Callable[..., TrackerContainer]
_QUERY = "SELECT 1 FROM mark WHERE name < char(111)"  # new, not old; no quotes, for the shell's sake
_LOOK = f"import sqlite3, sys; sys.exit(not sqlite3.connect('/data/tracker.db').execute({_QUERY!r}).fetchone())"
HEALTH = f'python3 -c "{_LOOK}"'
HEALTHY_WITH_NEW = ("--health-cmd", HEALTH, "--health-interval", "300ms", "--health-retries", "2")


def restore(installation: Installation, *options: str) -> subprocess.CompletedProcess[str]:
    """Put the only backup back in place."""
    return installation.run("restore", "latest", "--in-place", "--yes", *options)


@pytest.mark.parametrize("mode", ["wal", pytest.param("delete", marks=pytest.mark.slow)])
def test_the_tracker_goes_on_with_the_restored_database_and_nothing_is_lost_of_the_old(
    installation: Installation, start_container: Start, mode: str
) -> None:
    if mode == "delete":
        installation.database.unlink()
        build_database(installation.database, mib=1, journal_mode="delete")
        installation.database.chmod(0o640)
    before = dress(installation.database)
    back_up_and_go_on(installation)
    tracker = start_container()
    tracker.expect_writes()
    since = time.time()

    done = restore(installation)

    assert done.returncode == 0, done.stderr
    assert f"stopped meanwhile: {tracker.name}" in done.stdout
    assert f"{tracker.name} stood still for" in done.stdout
    assert [each for each in tracker.events(since) if each in ("stop", "start")] == ["stop", "start"]
    tracker.expect_writes()
    assert tracker.stop()["failed"] == 0
    assert expect_whole(installation.database) == "old"
    assert dress(installation.database) == before
    [old] = kept(installation)
    assert expect_whole(old) == "new"
    assert check_invariant(old)["counter"] > 0
    assert left_over(installation) == []
    assert "stood still for" in installation.log.read_text()
    assert installation.run("status").returncode != 2


def test_what_stood_still_stays_so_and_what_uses_something_else_goes_on(
    installation: Installation, start_container: Start
) -> None:
    installation.back_up()
    elsewhere = start_container(service="proxy", write=False)
    docker("rm", "--force", elsewhere.name)
    idle = start_container(write=False)
    idle.stop_quietly()
    since = time.time()

    assert restore(installation).returncode == 0

    assert idle.state() == "exited"
    assert "start" not in idle.events(since)
    assert dress(installation.database) == OWNER


@pytest.mark.slow
def test_left_stopped_if_asked_for(installation: Installation, start_container: Start) -> None:
    installation.back_up()
    tracker = start_container("--restart", "always", write=False)

    done = restore(installation, "--leave-stopped")

    assert done.returncode == 0, done.stderr
    assert f"docker start {tracker.name}" in done.stdout
    assert tracker.state() == "exited"
    assert left_over(installation) == []


@pytest.mark.guarantee(9)
def test_an_unhealthy_tracker_gets_its_old_database_back(installation: Installation, start_container: Start) -> None:
    back_up_and_go_on(installation)
    tracker = start_container(*HEALTHY_WITH_NEW)
    wait_until(lambda: tracker.health() == "healthy", lambda: docker("inspect", tracker.name))

    done = restore(installation)

    assert done.returncode == 1, done.stdout
    assert "is unhealthy" in done.stderr
    assert tracker.state() == "running"
    tracker.expect_writes()
    assert tracker.stop()["failed"] == 0
    assert expect_whole(installation.database) == "new"
    assert dress(installation.database) == OWNER
    assert kept(installation) == []
    assert left_over(installation) == []


@pytest.mark.slow
def test_a_tracker_that_was_unhealthy_before_keeps_the_restored_database(
    installation: Installation, start_container: Start
) -> None:
    mark(installation.database, "old")
    installation.back_up()
    tracker = start_container(*HEALTHY_WITH_NEW)
    wait_until(lambda: tracker.health() == "unhealthy", lambda: docker("inspect", tracker.name))

    done = restore(installation)

    assert done.returncode == 3, done.stdout
    assert "as it was not well before" in done.stderr
    assert tracker.state() == "running"
    assert len(kept(installation)) == 1


@pytest.mark.guarantee(9)
@pytest.mark.slow
def test_a_service_that_ends_with_the_restored_database_gets_the_old_one_back(
    installation: Installation, start_container: Start
) -> None:
    back_up_and_go_on(installation)
    ends = _LOOK.replace("sys.exit(not ", "(").replace(".fetchone())", ".fetchone() or sys.exit(7))")
    ends += "; import time; time.sleep(999)"
    tracker = start_container(command=["/usr/bin/python3", "-c", ends])

    done = restore(installation)

    assert done.returncode == 1
    assert "exit code 7" in done.stderr
    assert tracker.state() == "running"
    assert expect_whole(installation.database) == "new"


@pytest.mark.guarantee(9)
def test_whoever_else_has_it_open_is_named_and_the_tracker_goes_on(
    installation: Installation, start_container: Start
) -> None:
    back_up_and_go_on(installation)
    tracker = start_container()
    idle = [sys.executable, "-c", f"file = open({str(installation.database)!r}); print(flush=True); input()"]
    with subprocess.Popen(idle, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as opener:
        assert opener.stdout is not None
        opener.stdout.readline()
        done = restore(installation)
        opener.communicate(b"\n")

    assert done.returncode == 1
    assert f"process {opener.pid} (" in done.stderr
    assert tracker.state() == "running"
    tracker.expect_writes()
    assert tracker.stop()["failed"] == 0
    assert expect_whole(installation.database) == "new"
    assert left_over(installation) == []


@pytest.mark.guarantee(9, 16)
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_undoes_it(installation: Installation, start_container: Start, number: int) -> None:
    back_up_and_go_on(installation)
    tracker = start_container()
    started = installation.start_until_phase(f"health {tracker.name}", "restore", "latest", "--in-place", "--yes")
    with started as running:
        running.signal(number)
        assert running.wait() == 128 + number, running.said()

    assert tracker.state() == "running"
    tracker.expect_writes()
    assert tracker.stop()["failed"] == 0
    assert expect_whole(installation.database) == "new"
    assert left_over(installation) == []


@pytest.fixture
def file_mounted(installation: Installation, engine: None) -> Iterator[Callable[[], str]]:
    """Return what starts a container that has mounted the single file, and returns its name."""
    name = f"tracker-backup-test-{os.getpid()}-file"

    def start() -> str:
        labels = ("service=tracker", f"project.working_dir={installation.data}")
        options = [word for label in labels for word in ("--label", f"com.docker.compose.{label}")]
        options += ["--volume", "/usr:/usr:ro", "--volume", f"{installation.database}:/tmp/tracker.db"]
        command = ["/usr/bin/sleep", "1000"]
        docker("run", "--detach", "--name", name, "--network", "none", "--stop-timeout", "1", *options, IMAGE, *command)
        return name

    yield start
    docker("rm", "--force", name, check=False)


def test_a_container_with_the_single_file_sees_the_restored_one(
    installation: Installation, file_mounted: Callable[[], str]
) -> None:
    installation.database.unlink()
    build_database(installation.database, mib=0.1, journal_mode="delete")
    back_up_and_go_on(installation)
    name = file_mounted()

    done = restore(installation)

    assert done.returncode == 0, done.stderr
    look = "import sqlite3; print(sqlite3.connect('/tmp/tracker.db').execute('SELECT name FROM mark').fetchone()[0])"
    assert docker("exec", name, "/usr/bin/python3", "-c", look) == "old"


def test_a_journal_that_only_the_container_can_see_would_ruin_it(
    installation: Installation, file_mounted: Callable[[], str]
) -> None:
    installation.database.unlink()
    build_database(installation.database, mib=0.1, journal_mode="delete")
    back_up_and_go_on(installation)
    name = file_mounted()
    docker("exec", name, "/usr/bin/touch", "/tmp/tracker.db-journal")

    done = restore(installation)

    assert done.returncode == 1
    assert "/tmp/tracker.db-journal" in done.stderr
    assert docker("inspect", "--format", "{{.State.Running}}", name) == "true"
    assert expect_whole(installation.database) == "new"
    assert left_over(installation) == []


def test_in_wal_mode_behind_a_mount_of_the_single_file_it_is_refused(
    installation: Installation, file_mounted: Callable[[], str]
) -> None:
    mark(installation.database, "new")
    installation.back_up()
    file_mounted()

    done = restore(installation)

    assert done.returncode == 1
    assert "mount the database's directory" in done.stderr
    assert left_over(installation) == []


def test_what_would_be_gone_once_stopped_is_not_stopped(installation: Installation, start_container: Start) -> None:
    mark(installation.database, "new")
    installation.back_up()
    tracker = start_container("--rm", write=False)

    done = restore(installation)

    assert done.returncode == 1
    assert f"docker stop {tracker.name}" in done.stderr
    assert tracker.state() == "running"
    assert left_over(installation) == []
