"""Two instances on one stack: neither restores, nor backs up, amid a restore of the other's."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support.inplace_world import expect_whole, left_over, mark
from support.program import Installation
from tracker_backup.repository.store import Repository

pytestmark = pytest.mark.guarantee(2, 9)
SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
DIE_BEFORE_THE_START = """
import os, signal, sys
sys.path[0] = sys.argv.pop(1)
from tracker_backup.cli import main
from tracker_backup.inplace.engine import Engine
Engine._start = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
sys.exit(main())
"""
RESTORE = ("restore", "latest", "--in-place", "--yes")


@pytest.fixture
def other(installation: Installation) -> tuple[str, str]:
    """Return the arguments that mean a second instance on the stack; each has a backup, the live one is "new"."""
    directory = installation.directory / "other"
    places = {
        "repository": directory / "repository",
        "state_directory": directory / "state",
        "log_file": directory / "log",
    }
    settings = {**installation.settings, **{name: str(place) for name, place in places.items()}}
    (installation.config_directory / "other.yml").write_text(yaml.safe_dump(settings))
    directory.mkdir()
    Repository(places["repository"]).init()
    both = ("--instance", "default"), ("--instance", "other")
    for arguments, name in zip(both, ("of default", "of other"), strict=True):
        mark(installation.database, name)
        assert installation.run("--now", *arguments).returncode == 0
    mark(installation.database, "new")
    return both[1]


def die_amid_a_restore(installation: Installation) -> None:
    """Kill a restore of the first instance when the new database is in its place, and nothing is started yet."""
    command = [sys.executable, "-I", "-c", DIE_BEFORE_THE_START, str(SCRIPTS), *RESTORE, "--instance", "default"]
    done = subprocess.run(command, env=installation.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert expect_whole(installation.database) == "of default"


def test_a_restore_is_not_undone_by_one_that_died_before_it(installation: Installation, other: tuple[str, str]) -> None:
    die_amid_a_restore(installation)

    done = installation.run(*RESTORE, *other)

    assert done.returncode == 0, done.stderr
    assert "instance default: undid the restore of tracker" in done.stderr
    assert left_over(installation) == []
    assert installation.run("list", "--instance", "default").returncode == 0
    assert expect_whole(installation.database) == "of other"


def test_a_backup_waits_for_nothing_that_died_half_way(installation: Installation, other: tuple[str, str]) -> None:
    die_amid_a_restore(installation)

    done = installation.run("--now", *other)

    assert done.returncode == 0, done.stderr
    assert "instance default: undid the restore of tracker" in done.stderr
    assert left_over(installation) == []
    assert expect_whole(installation.database) == "new"


def test_neither_begins_while_the_other_one_works(installation: Installation, other: tuple[str, str]) -> None:
    with installation.start_halting("read back", *RESTORE, "--instance", "default") as running:
        refused = [installation.run(*command, *other) for command in (RESTORE, ("--now",))]
        assert [done.returncode for done in refused] == [4, 4]
        assert all("restore --in-place of default" in done.stderr for done in refused)
    assert running.wait() == -signal.SIGKILL

    with installation.start_halting("compress", "--now", *other):
        refused_restore = installation.run(*RESTORE, "--instance", "default")
        assert refused_restore.returncode == 4
        assert "instance other, on the same stack: another run is at work" in refused_restore.stderr
    assert expect_whole(installation.database) == "new"
    (installation.config_directory / "other.yml").unlink()
    assert installation.run(*RESTORE, "--instance", "default").returncode == 0
