"""TERM, INT and HUP before each change that a run makes, and two in a row at any time: it ends, and cleans up."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.databases import tracker_database
from support.faults import rounds
from support.instants import Scene, scenes, strike
from support.killing import expect_intact, expect_nothing_goes_on, expect_swept, fenced, visible
from support.program import Installation, Running
from tracker_backup.repository.store import Repository

pytestmark = pytest.mark.guarantee(1, 2, 5, 16)

Tally = Callable[[str, int], None]
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
KEEP = 2


def in_use(directory: Path) -> Installation:
    """Return an installation with two backups, one of which its policy condemns once there is a third."""
    installation = Installation(directory, jobs=[{"name": "daily", "keep": {"last": KEEP}}])
    tracker_database(installation.database, 0.1)
    Repository(installation.repository).init()
    for _ in range(KEEP):
        installation.back_up()
    return installation


def expect_cleaned_up(installation: Installation) -> None:
    expect_nothing_goes_on(installation)
    expect_swept(installation)


def test_before_each_change(tmp_path: Path, tally: Tally) -> None:
    every = scenes(tmp_path, in_use)
    before = visible(every[0].installation)

    def look(scene: Scene, how: str) -> None:
        code = int(how.split()[1])
        assert code in (0, *(128 + number for number in SIGNALS)), how
        assert code == 0 or "stopped by SIG" in how, how
        assert "Traceback" not in how
        assert "Exception ignored" not in how
        expect_cleaned_up(scene.installation)
        after = visible(scene.installation)
        expect_intact(before, after, KEEP)
        assert code != 0 or len(after.keys() - before.keys()) == 1

    sent = strike(every, ["--now"], look, few=10, numbers=SIGNALS)
    tally("instants stopped", sent)
    assert sent > 5


def test_two_in_a_row(tmp_path: Path, tally: Tally) -> None:
    """The second one, which a shell or an impatient person sends, does not cut the cleaning short."""
    installation = in_use(tmp_path / "host")
    began = time.monotonic()
    installation.back_up()
    usual = time.monotonic() - began
    luck = random.Random(seed := random.randrange(10**6))
    times = rounds(100, short=4)
    for _ in range(times):
        before = visible(installation)
        first, second = luck.choice(SIGNALS), luck.choice(SIGNALS)
        with Running(installation.command("--now"), fenced(installation)) as running:
            time.sleep(luck.uniform(usual * 0.3, usual * 1.1))
            running.signal(first)
            time.sleep(luck.choice((0, 0.001, 0.02, 0.1)))
            running.signal(second)
            code = running.wait()
        # Before it listens to them, a signal does what it does to any program.
        expected = {0, -first, -second, 128 + first, 128 + second}
        assert code in expected, f"exit {code} by {first.name}, {second.name}, {seed=}: {running.said()}"
        expect_cleaned_up(installation)
        expect_intact(before, visible(installation), KEEP)
    tally("instants stopped", times)
