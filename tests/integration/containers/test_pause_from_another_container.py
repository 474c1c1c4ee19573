"""A pause whose owner runs in another container, as the orchestrator's does: whichever dies, the tracker goes on."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.engine import TrackerContainer, docker
from support.program import ROOT, Installation, Running, wait_until
from tracker_backup.containers.pause import FREEZER_VARIABLE

LONGEST_SECONDS = 10.0
"""Half of the pause that was asked for, so that no limit ended it; how soon it is, test_kills says."""
StartSlowly = Callable[[float], Running]


@pytest.fixture
def owner(
    start_container: Callable[..., TrackerContainer], installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> TrackerContainer:
    """Return the other container; the program is told of it as a helper is."""
    seen = {str(ROOT): "ro", sys.base_prefix: "ro", str(installation.directory): "rw", "/var/run/docker.sock": "rw"}
    options = [word for place, how in seen.items() for word in ("--volume", f"{place}:{place}:{how}")]
    container = start_container(*options, write=False, service="backup")
    monkeypatch.setenv(FREEZER_VARIABLE, container.name)
    return container


@pytest.fixture
def paused(tracker: TrackerContainer, owner: TrackerContainer, start_slowly: StartSlowly) -> Iterator[Running]:
    """Give a backup in whose copy the tracker is frozen, by who is in the other container."""
    with start_slowly(20) as running:
        wait_until(lambda: tracker.state() == "paused", running.said, running)
        assert len(docker("top", owner.name).splitlines()) == len(["the header", "its own", "who has frozen"])
        yield running


def seconds_until_at_work(tracker: TrackerContainer) -> float:
    began = time.monotonic()
    wait_until(lambda: tracker.state() == "running", tracker.state)
    return time.monotonic() - began


def expect_well(installation: Installation, tracker: TrackerContainer) -> None:
    """Expect that nothing is left of the pause, that no write has failed, and that a backup is made."""
    assert not (installation.directory / "state" / "paused.json").exists()
    tracker.expect_writes()
    assert installation.back_up()["artifacts"][0]["method"] == "paused"
    assert tracker.stop()["failed"] == 0


@pytest.mark.guarantee(3, 20)
def test_whoever_copies_is_killed_and_the_tracker_is_thawed_at_once(
    installation: Installation, tracker: TrackerContainer, paused: Running
) -> None:
    paused.signal(signal.SIGKILL)

    assert seconds_until_at_work(tracker) < LONGEST_SECONDS
    assert paused.wait() == -signal.SIGKILL
    wait_until(lambda: not Path(installation.directory, "state", "paused.json").exists(), paused.said)
    expect_well(installation, tracker)


@pytest.mark.guarantee(3, 20)
def test_who_freezes_is_killed_with_his_container_and_the_run_thaws(
    installation: Installation, tracker: TrackerContainer, owner: TrackerContainer, paused: Running
) -> None:
    docker("kill", owner.name)

    wait_until(lambda: tracker.state() == "running", paused.said)
    paused.wait()
    docker("start", owner.name)
    expect_well(installation, tracker)
