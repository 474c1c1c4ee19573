"""What comes between the death of a restore in place and the next start of anything of ours."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from support.engine import TrackerContainer, docker
from support.inplace_world import back_up_and_go_on, expect_whole, kept, left_over, mark, marked
from support.program import Installation, sqlite_source
from support.small_disk import fill, needs_root, small_disk
from support.tracker_standin import build_database

pytestmark = pytest.mark.guarantee(9)

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
Start = Callable[..., TrackerContainer]
_DIE = f"""
import os, sys
sys.path[0] = {str(SCRIPTS)!r}
from tracker_backup.cli import main
from tracker_backup.inplace.engine import Engine
from tracker_backup.inplace.sqlite import SqliteReplacement
{{place}} = lambda *_: os.kill(os.getpid(), 9)
sys.exit(main(sys.argv[1:]))
"""


def die(installation: Installation, place: str, *options: str) -> None:
    """Restore the only backup in place, and be killed in that function."""
    command = [installation.python, "-c", _DIE.format(place=place), "restore", "latest", "--in-place", "--yes"]
    done = subprocess.run(
        [*command, *options], env=installation.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def die_after_swap(installation: Installation) -> None:
    """Restore the only backup in place, and be killed with the new database in its place and nothing started."""
    die(installation, "Engine._start")
    assert marked(installation.database) == "old"


def test_a_volume_that_is_not_mounted_is_waited_for(installation: Installation) -> None:
    """What is not there cannot be put back, and must not be forgotten."""
    back_up_and_go_on(installation)
    die_after_swap(installation)
    away = installation.directory / "away"
    installation.data.rename(away)
    installation.data.mkdir()

    done = installation.run("list")

    assert done.returncode == 0
    assert "is its volume mounted" in done.stderr
    assert list(installation.data.iterdir()) == []
    installation.data.rmdir()
    away.rename(installation.data)
    assert "undid the restore" in installation.run("list").stderr
    assert expect_whole(installation.database) == "new"
    assert left_over(installation) == []


def test_what_was_written_since_is_not_lost_when_it_is_undone(installation: Installation) -> None:
    """Docker starts a container again after a power failure, or its owner does."""
    back_up_and_go_on(installation)
    die_after_swap(installation)
    with closing(sqlite3.connect(installation.database)) as connection, connection:
        connection.execute("CREATE TABLE since (x)")
        connection.execute("INSERT INTO since VALUES (7)")

    done = installation.run("list")

    assert "undid the restore" in done.stderr
    assert expect_whole(installation.database) == "new"
    [written] = kept(installation)
    assert expect_whole(written) == "old"
    with closing(sqlite3.connect(written)) as connection:
        assert connection.execute("SELECT x FROM since").fetchall() == [(7,)]
    assert left_over(installation) == []


def test_it_is_not_undone_under_whoever_has_opened_it_since(installation: Installation) -> None:
    back_up_and_go_on(installation)
    die_after_swap(installation)
    idle = [sys.executable, "-c", f"file = open({str(installation.database)!r}); print(flush=True); input()"]
    with subprocess.Popen(idle, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as opener:
        assert opener.stdout is not None
        opener.stdout.readline()
        done = installation.run("list")
        name = marked(installation.database)
        opener.communicate(b"\n")

    assert f"process {opener.pid} (" in done.stderr
    assert name == "old", "it was left under the one who has it open"
    assert "undid the restore" in installation.run("list").stderr
    assert expect_whole(installation.database) == "new"


def test_a_container_that_was_made_anew_meanwhile_is_started_again(
    installation: Installation, start_container: Start
) -> None:
    back_up_and_go_on(installation)
    tracker = start_container()
    die_after_swap(installation)
    docker("rm", "--force", tracker.name)
    other = start_container(write=False)

    done = installation.run("list")

    assert "undid the restore" in done.stderr
    assert other.state() == "running"
    assert expect_whole(installation.database) == "new"
    assert left_over(installation) == []


def test_one_that_cannot_be_started_does_not_stop_the_others_time_and_again(
    installation: Installation, start_container: Start
) -> None:
    back_up_and_go_on(installation)
    broken = installation.directory / "mounted"
    broken.mkdir()
    start_container(*("--mount", f"type=bind,source={broken},target=/mounted"), write=False)
    tracker = start_container(write=False)
    die_after_swap(installation)
    broken.rmdir()
    assert "cannot be cleared up after" in installation.run("list").stderr
    assert tracker.state() == "running"
    since = time.time()

    assert "cannot be cleared up after" in installation.run("list").stderr

    assert "stop" not in tracker.events(since)
    assert expect_whole(installation.database) == "new"
    broken.mkdir()
    assert "started what the restore" in installation.run("list").stderr
    assert left_over(installation) == []


@needs_root
def test_what_was_deleted_first_is_not_carried_on_under_whoever_has_made_another(installation: Installation) -> None:
    with small_disk(installation.directory / "disk", mib=6) as disk:
        live = disk / "tracker.db"
        installation.configure(sources=[sqlite_source("tracker", live)], min_free="1 MiB")
        build_database(live, mib=2)
        mark(live, "old")
        installation.back_up()
        fill(disk, leave_bytes=2 * 1024**2)
        die(installation, "SqliteReplacement._make_new", "--discard-current")
        open_one = f"file = open({str(live)!r}, 'w'); print(flush=True); input()"
        with subprocess.Popen([sys.executable, "-c", open_one], stdin=-1, stdout=-1) as opener:
            assert opener.stdout is not None
            opener.stdout.readline()
            done = installation.run("list")
            assert live.stat().st_size == 0, "it was left to the one who has it open"
            opener.communicate(b"\n")

        assert f"process {opener.pid} (" in done.stderr
        assert "finished the restore" in installation.run("list").stderr
        assert expect_whole(live) == "old"


def test_a_stale_wal_of_a_database_that_was_deleted_does_not_ruin_the_restored_one(installation: Installation) -> None:
    back_up_and_go_on(installation)
    script = "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA wal_autocheckpoint=0');"
    script += "c.execute('CREATE TABLE late (x)'); c.execute('INSERT INTO late VALUES (7)');"
    script += "c.execute('UPDATE torrents SET completed = completed + 5'); c.commit(); os._exit(0)"
    subprocess.run([sys.executable, "-c", script, str(installation.database)], check=True)
    wal = installation.database.with_name("tracker.db-wal").read_bytes()
    installation.database.unlink()

    done = installation.run("restore", "latest", "--in-place", "--yes")

    assert done.returncode == 0, done.stderr
    assert expect_whole(installation.database) == "old"
    with closing(sqlite3.connect(installation.database)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'late'").fetchall() == []
    [left] = installation.data.glob("pre-restore-*/tracker.db-wal")
    assert left.read_bytes() == wal
