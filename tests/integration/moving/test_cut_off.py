"""What is cut off while a stack leaves goes on when the same command is run again, and can be taken back."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from support.engine import TrackerContainer, docker
from support.program import Installation
from support.small_disk import needs_root
from support.tracker_standin import check_invariant

Start = Callable[..., TrackerContainer]
pytestmark = [needs_root, pytest.mark.guarantee(17)]


def cut_off(installation: Installation, tracker: TrackerContainer) -> None:
    """Kill a stack's leaving amid its last backup; the tracker stays stopped then."""
    with installation.start_halting("read back", "move", "leave") as leaving:
        leaving.signal(signal.SIGKILL)
        leaving.wait()
    assert (tracker.state(), policy(tracker)) == ("exited", "no")
    assert installation.manifests() == []


def policy(tracker: TrackerContainer) -> str:
    """Return a container's restart policy."""
    return docker("inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", tracker.name)


def restored(installation: Installation) -> Path:
    """Return the tracker's database out of the last backup."""
    target = installation.directory / "restored"
    assert installation.run("restore", "latest", "--to", str(target)).returncode == 0
    return target / "tracker.sqlite3"


def test_the_same_command_goes_on_and_nothing_is_lost(installation: Installation, start_container: Start) -> None:
    tracker = start_container("--restart", "always")
    tracker.expect_writes()
    cut_off(installation, tracker)

    left = installation.run("move", "leave", "--json")

    assert left.returncode == 0, left.stderr
    assert json.loads(left.stdout)["backup"] == installation.manifests()[-1]["id"]
    assert tracker.state() == "exited"
    assert check_invariant(restored(installation))["counter"] == tracker.report()["transactions"]
    assert not (installation.directory / "crontab").exists()

    again = installation.run("move", "leave", "--json")
    assert again.stdout == left.stdout
    assert len(installation.manifests()) == 1


def test_it_can_be_taken_back(installation: Installation, start_container: Start) -> None:
    tracker = start_container("--restart", "always")
    cut_off(installation, tracker)

    assert installation.run("move", "back").returncode == 0

    assert tracker.state() == "running"
    assert "tracker-backup" in (installation.directory / "crontab").read_text()
    assert policy(tracker) == "always"
