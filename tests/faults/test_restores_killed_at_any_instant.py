"""restore --in-place killed at random instants: the live data are the old ones or the new ones, whole."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.databases import tracker_database
from support.faults import rounds
from support.inplace_world import expect_whole, kept, left_over, two_backups
from support.killing import LANES, expect_nothing_goes_on, family, fenced, kill_all, visible
from support.program import Installation, Running
from tracker_backup.repository.store import Repository

pytestmark = pytest.mark.guarantee(9, 2, 16)

Tally = Callable[[str, int], None]


def made(directory: Path) -> Installation:
    """Return an installation with a small database and an empty repository."""
    installation = Installation(directory)
    tracker_database(installation.database, 0.1)
    Repository(installation.repository).init()
    return installation


def kill_one(installation: Installation, delay: float, *arguments: str, everything: bool) -> bool:
    """Start a command and kill it after so many seconds, with what it has started or alone; return whether it died."""
    with Running(installation.command(*arguments), fenced(installation)) as running:
        time.sleep(delay)
        if everything:
            kill_all(family(installation))
        running.signal(signal.SIGKILL)
        code = running.wait()
    assert code in (0, -signal.SIGKILL), running.said()
    expect_nothing_goes_on(installation)
    return code != 0


def kill_restores(installation: Installation, times: int, seed: int) -> Counter[str]:
    """Kill restores of the other database, one after the other, and return how they ended."""
    luck = random.Random(seed)
    first, second = two_backups(installation)
    other, live = {"one": second, "two": first}, "two"
    before = visible(installation)
    seconds: list[float] = []
    for _ in range(3):
        began = time.monotonic()
        assert installation.run("restore", other[live], "--in-place", "--yes").returncode == 0
        seconds.append(time.monotonic() - began)
        live = expect_whole(installation.database)
    ends: Counter[str] = Counter()
    killed = 0
    while killed < times:
        for replaced in kept(installation):
            shutil.rmtree(replaced.parent)  # with what looking at it in WAL mode has left beside it
        delay = luck.uniform(0, sorted(seconds)[1] * 1.1)
        killed += kill_one(
            installation, delay, "restore", other[live], "--in-place", "--yes", everything=killed % 4 == 3
        )

        # Whoever looks before that finds a whole one already.
        assert expect_whole(installation.database) in other, f"{seed=} {killed=}"
        assert installation.run("list").returncode == 0
        now = expect_whole(installation.database)
        assert left_over(installation) == [], f"{seed=} {killed=}"
        assert [expect_whole(replaced) for replaced in kept(installation)] == ([] if now == live else [live])
        ends["old" if now == live else "new"] += 1
        live = now
    assert visible(installation) == before
    assert installation.back_up()["state"] == "verified"
    return ends


def test_sqlite(tmp_path: Path, tally: Tally) -> None:
    kills = rounds(200, short=8)
    seed = random.randrange(10**6)
    installations = [made(tmp_path / str(lane)) for lane in range(LANES)]
    with ThreadPoolExecutor(LANES) as lanes:
        hunts = [lanes.submit(kill_restores, each, kills // LANES, seed + n) for n, each in enumerate(installations)]
        ends = sum((hunt.result() for hunt in hunts), Counter[str]())
    print(f"{dict(ends)}, {seed=}")
    tally("instants killed", kills)


def contents(directory: Path) -> dict[str, bytes]:
    """Return what the files of a stack hold, without what restores keep."""
    found = (path for path in directory.rglob("*") if path.is_file() and "pre-restore-" not in str(path))
    return {str(path.relative_to(directory)): path.read_bytes() for path in found}


def write_stack(directory: Path, text: str) -> dict[str, bytes]:
    """Write a stack's files, and return what they hold."""
    for name in (".env", "compose.yaml", "etc/tracker.toml", "tls/a/key", "tls/b/key"):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text * 1000)
    return contents(directory)


def test_files(tmp_path: Path, tally: Tally) -> None:
    kills = rounds(60, short=3)
    luck = random.Random(seed := random.randrange(10**6))
    installation = Installation(tmp_path / "host", sources=[{"name": "files", "type": "files"}])
    Repository(installation.repository).init()
    new = write_stack(installation.data, "new")
    backup = installation.back_up()["id"]
    old = write_stack(installation.data, "old")
    began = time.monotonic()
    assert installation.run("restore", backup, "--in-place", "--yes").returncode == 0
    usual = time.monotonic() - began
    ends: Counter[str] = Counter()
    killed = 0
    while killed < kills:
        assert write_stack(installation.data, "old") == old
        killed += kill_one(
            installation,
            luck.uniform(0, usual * 1.1),
            "restore",
            backup,
            "--in-place",
            "--yes",
            everything=killed % 4 == 3,
        )

        assert installation.run("list").returncode == 0

        found = contents(installation.data)
        assert found in (old, new), f"{seed=} {killed=}"
        assert left_over(installation) == [], f"{seed=} {killed=}"
        assert list(installation.repository.glob(".staging/*")) == []
        ends["old" if found == old else "new"] += 1
    print(f"{dict(ends)}, {seed=}")
    tally("instants killed", kills)
