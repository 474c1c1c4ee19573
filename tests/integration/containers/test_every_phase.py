"""Somebody stops, restarts, removes, recreates, kills or pauses the tracker's container, whatever a backup is doing.

The backup is right, or it is said why there is none; and the container is as somebody has left it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest

from support.engine import TrackerContainer, docker
from support.program import Installation, Running
from support.tracker_standin import build_database
from tracker_backup.sources.sqlite.absence import LOOK_SECONDS

Start = Callable[..., TrackerContainer]
Tally = Callable[[str, int], None]

PHASES = ("prepare", "decided", "pause", "copy", "check", "compress", "read back", "publish")
LEFT = {"stop": "exited", "restart": "running", "rm": "", "recreate": "running", "kill": "exited", "pause": "paused"}
"""How a container is after what was done to it."""

QUICK = {
    ("paused", "prepare", "stop"),
    ("paused", "decided", "restart"),
    ("paused", "pause", "pause"),
    ("paused", "copy", "recreate"),
    ("paused", "copy", "pause"),
    ("wal", "copy", "kill"),
    ("wal", "publish", "rm"),
}


def cases() -> list[Any]:
    """Return every way with every phase and everything that may be done; most of them are for `make faults` alone."""
    found = [case for case in itertools.product(("paused", "wal"), PHASES, LEFT) if case[:2] != ("wal", "pause")]
    return [
        pytest.param(*case, marks=[] if case in QUICK else pytest.mark.thorough, id="-".join(case)) for case in found
    ]


def meddle(tracker: TrackerContainer, act: str) -> None:
    """Do that to a container, as its admin would."""
    if act == "recreate":
        docker("rm", "--force", tracker.name)
        tracker.start()
    else:
        # What is frozen already cannot be paused: whoever asks for it is told so.
        docker(act, *(("--force",) if act == "rm" else ()), tracker.name, check=act != "pause")


def expect_right_or_told(installation: Installation, running: Running, act: str) -> bool:
    """Expect a verified backup that is whole, or none and a reason; return whether there is one."""
    code = running.wait()
    assert installation.left_over() == []
    assert not (installation.directory / "state" / "paused.json").exists()
    if code:
        assert code == 1, running.said()
        assert installation.published() == {}
        # It may have been paused by somebody in the midst of a transaction, whose lock then stays.
        reasons = ["cannot be paused", "was paused for the copy", "nor does one that is paused", "service was started"]
        # Struck dead in a transaction, after it had been decided that there is no journal to roll back.
        reasons += ["has a hot journal"] if act in ("kill", "rm", "recreate") else []
        assert any(reason in running.said() for reason in reasons), running.said()
        return False
    [backup] = installation.manifests()
    assert backup["state"] == "verified"
    found = installation.restored()
    assert found["ok"], found
    return True


@pytest.mark.guarantee(3, 4, 6)
@pytest.mark.parametrize(("way", "phase", "act"), cases())
def test_whatever_is_done_to_the_container_in_whatever_phase(
    installation: Installation, start_container: Start, tally: Tally, way: str, phase: str, act: str
) -> None:
    if way == "wal":
        installation.database.unlink()
        build_database(installation.database, mib=4)
    tracker = start_container()
    with installation.start_halting(phase, "--now") as running:
        frozen = tracker.state() == "paused"
        assert frozen == (way == "paused" and phase == "copy")
        meddle(tracker, act)
        running.go_on()
        made = expect_right_or_told(installation, running, act)

    # A pause was refused where the container was frozen already, so nobody but us has paused it.
    assert tracker.state() == ("running" if frozen and act == "pause" else LEFT[act])
    assert made or way == "paused", "in WAL mode the container does not matter"
    assert made or phase in ("prepare", "decided", "pause", "copy"), "what is copied is copied"
    if tracker.state() == "running":
        tracker.expect_writes()
    tally("faults survived", 1)


@pytest.mark.guarantee(6)
@pytest.mark.parametrize(
    ("before", "back"),
    [("stop", "start"), pytest.param("pause", "unpause", marks=pytest.mark.slow)],
)
def test_whoever_comes_back_during_a_copy_does_not_wait_for_its_end(
    installation: Installation, start_container: Start, tally: Tally, before: str, back: str
) -> None:
    """Nobody was there who could wait, so the lock was taken for long; now somebody is, and is frozen instead."""
    tracker = start_container(write=False)
    docker(before, *(("--time", "1") if before == "stop" else ()), tracker.name)
    with installation.start_halting("copy", "--now") as running:
        docker(back, tracker.name)
        time.sleep(LOOK_SECONDS)  # whoever waits for less than that is not worth the pause
        running.go_on()
        assert running.wait() == 0, running.said()

    [artifact] = installation.manifests()[-1]["artifacts"]
    assert artifact["method"] == "paused"
    assert "before its service was started" in installation.log.read_text(encoding="utf-8")
    assert tracker.state() == "running"
    tally("faults survived", 1)
