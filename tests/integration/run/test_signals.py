"""A run that is stopped, in whatever phase, cleans up after itself; one that is killed is cleaned up by the next."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.program import PROGRAM, Installation, is_running, tree, wait_until
from support.sqlite_world import OtherProcess
from support.tracker_standin import Writer, build_database, check_invariant

PHASES = ["copy", "compress", "check", "read back"]
SIGNALS = [signal.SIGHUP, signal.SIGINT, signal.SIGTERM]


def check_children() -> set[str]:
    """Return the command lines of all checks that run on this machine."""
    listed = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    return {line.strip() for line in listed.splitlines() if "check_child.py" in line and str(PROGRAM) in line}


def expect_gone(processes: set[int]) -> None:
    """Wait for processes that must end by themselves."""
    wait_until(lambda: not any(map(is_running, processes)), lambda: f"some of {processes} go on without their program")


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("phase", PHASES)
def test_a_signal_in_any_phase_leaves_nothing_behind(in_use: Installation, phase: str, number: signal.Signals) -> None:
    before = in_use.published()
    with Writer(in_use.database) as writer, in_use.start_halting(phase, "--now") as running:
        wait_until(lambda: in_use.phase() == f"{phase} tracker", running.said, running)
        children = running.children()

        running.signal(number)

        assert running.wait() == 128 + number
        assert f"stopped by {number.name}" in running.said()
        assert [pid for pid in children if is_running(pid)] == []
        assert writer.stop()["failed"] == 0
    assert in_use.published() == before
    assert in_use.left_over() == []
    assert in_use.quarantined() == []
    assert in_use.lock_is_free()
    assert check_invariant(in_use.database, integrity=True)["ok"]
    assert f"exit={128 + number} stopped by {number.name}" in in_use.log.read_text()


def test_a_signal_while_a_lock_is_waited_for_is_heard_at_once(installation: Installation) -> None:
    """SQLite waits for up to a minute where a writer holds a rollback-journal database."""
    installation.database.unlink()
    build_database(installation.database, mib=1, journal_mode="delete")
    with OtherProcess(installation.database) as tracker:
        tracker.run("BEGIN EXCLUSIVE")
        with installation.start_until_phase("copy tracker", "--now") as running:
            time.sleep(0.5)
            began = time.monotonic()
            running.signal(signal.SIGTERM)
            assert running.wait() == 143
            assert time.monotonic() - began < 50, "it waited for the lock to the end"
        tracker.run("COMMIT")


def test_the_time_limit_ends_a_run_that_hangs(in_use: Installation) -> None:
    """Whatever it waits for: here a compressor that stands still."""
    in_use.configure(max_run_seconds=6)  # it has to get there first
    before = in_use.published()

    with in_use.start_halting("compress", "--now") as running:
        children = running.children()
        assert running.wait() == 1
        assert "max_run_seconds" in running.said()
        assert [pid for pid in children if is_running(pid)] == []

    assert in_use.published() == before
    assert in_use.left_over() == []


@pytest.mark.parametrize("phase", PHASES)
def test_a_run_that_is_killed_leaves_what_the_next_one_sweeps(in_use: Installation, phase: str) -> None:
    before = in_use.published()
    with in_use.start_halting(phase, "--now") as running:
        children = running.children()
        running.signal(signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL
        if running.halted_pid:  # a stopped process cannot end by itself
            subprocess.run(["kill", "-CONT", str(running.halted_pid)], check=False)
        expect_gone(children)

    assert in_use.published() == before
    assert in_use.left_over() != []
    assert in_use.lock_is_free()
    in_use.back_up()
    assert in_use.left_over() == []
    assert before.items() <= in_use.published().items()


def kill_at_random_instants(installation: Installation, times: int, seed: int) -> None:
    """Kill runs at random, and look after each one whether anything half made can be seen."""
    generator = random.Random(seed)
    began = time.monotonic()
    installation.back_up()
    usual = time.monotonic() - began
    for _ in range(times):
        before = installation.published()
        known = {manifest["id"] for manifest in installation.manifests()}
        with installation.start("--now") as running:
            time.sleep(generator.uniform(0, usual * 1.1))
            running.signal(signal.SIGKILL)
            running.wait()
        after = installation.published()
        assert before.items() <= after.items(), "an older backup has changed"
        new = {Path(name).parts[0] for name in after if name not in before}
        ids = {manifest["id"] for manifest in installation.manifests()}
        assert new == ids - known, "what is visible has a manifest"
        assert all(len(list((installation.repository / name).iterdir())) == 2 for name in new)


@pytest.mark.parametrize(
    "times", [pytest.param(6, id="6-times"), pytest.param(40, marks=pytest.mark.slow, id="40-times")]
)
def test_kill_at_any_instant_shows_nothing_half_made(in_use: Installation, times: int) -> None:
    in_use.configure(jobs=[{"name": "daily", "keep": {"last": 99}}])
    seed = random.randrange(10**6)

    with Writer(in_use.database) as writer:
        kill_at_random_instants(in_use, times, seed)
        in_use.back_up()
        assert writer.stop()["failed"] == 0

    assert in_use.left_over() == []
    assert in_use.run("verify", "--all", "--full").returncode == 0, f"seed {seed}"
    wait_until(lambda: check_children() == set(), lambda: f"checks go on: {check_children()}")


@pytest.mark.parametrize(
    "times", [pytest.param(6, id="6-times"), pytest.param(100, marks=pytest.mark.slow, id="100-times")]
)
def test_a_signal_at_any_instant_leaves_nothing_behind(in_use: Installation, times: int) -> None:
    """Between any two lines of ours: while a directory is being made, say, or being removed."""
    began = time.monotonic()
    in_use.back_up()
    usual = time.monotonic() - began
    generator = random.Random(seed := random.randrange(10**6))
    for _ in range(times):
        with in_use.start_until_locked("--now") as running:
            time.sleep(generator.uniform(0, usual))
            children = running.children()
            running.signal(number := generator.choice(SIGNALS))

            assert running.wait() in (128 + number, 0, -number), f"{running.said()}, seed {seed}"
        assert in_use.left_over() == [], f"seed {seed}"
        expect_gone(children)
        assert in_use.lock_is_free()


def test_a_kill_while_old_backups_are_deleted_leaves_whole_ones_only(
    in_use: Installation,
) -> None:
    """What is condemned vanishes from the listing by one rename, before its files go; the next run takes the rest."""
    [backup] = [entry for entry in in_use.repository.iterdir() if not entry.name.startswith(".")]
    half_gone = in_use.repository / f".condemned-{backup.name}"
    backup.rename(half_gone)
    (half_gone / "manifest.json").unlink()

    assert in_use.listed() == []
    in_use.back_up()

    assert not half_gone.exists()


def test_what_lies_beside_staging_is_left_alone(in_use: Installation) -> None:
    """`staging` may name a directory where other things lie, those of another instance for example."""
    scratch = in_use.directory / "scratch"
    in_use.configure(staging=str(scratch))
    for name in ("mine", "20261122T030000Z-daily", ".staging-other/20261122T030000Z-daily"):
        (scratch / name).mkdir(parents=True)
        (scratch / name / "file").write_text("precious")
    before = tree(scratch)
    stale = in_use.staging / "20261122T030000Z-daily"
    stale.mkdir(parents=True)

    in_use.back_up()

    assert not stale.exists()
    after = tree(scratch)
    assert {name: after[name] for name in before if name != "."} == {
        name: before[name] for name in before if name != "."
    }
