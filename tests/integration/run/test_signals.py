"""A run that is stopped, in whatever phase, cleans up after itself; one that is killed is cleaned up by the next."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from support.faults import rounds
from support.program import Installation, is_running, tree, wait_until
from support.sqlite_world import OtherProcess
from support.tracker_standin import Writer, build_database, check_invariant

PHASES = ["copy", "compress", "check", "read back"]
SIGNALS = [signal.SIGHUP, signal.SIGINT, signal.SIGTERM]


def expect_gone(processes: set[int]) -> None:
    """Wait for processes that must end by themselves."""
    wait_until(lambda: not any(map(is_running, processes)), lambda: f"some of {processes} go on without their program")


@pytest.mark.guarantee(1, 2, 16)
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


@pytest.mark.guarantee(16)
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


@pytest.mark.guarantee(1, 16)
def test_the_time_limit_ends_a_run_that_hangs(in_use: Installation) -> None:
    """Whatever it waits for: here a compressor that stands still."""
    in_use.configure(max_run_seconds=12)  # it has to get there first
    before = in_use.published()

    with in_use.start_halting("compress", "--now") as running:
        children = running.children()
        assert running.wait() == 1
        assert "max_run_seconds" in running.said()
        assert [pid for pid in children if is_running(pid)] == []

    assert in_use.published() == before
    assert in_use.left_over() == []


@pytest.mark.guarantee(1, 2)
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


@pytest.mark.guarantee(1, 2, 16)
def test_a_signal_at_any_instant_leaves_nothing_behind(in_use: Installation, tally: Callable[[str, int], None]) -> None:
    """Between any two lines of ours: while a directory is being made, say, or being removed."""
    began = time.monotonic()
    in_use.back_up()
    usual = time.monotonic() - began
    generator = random.Random(seed := random.randrange(10**6))
    for _ in range(times := rounds(100, short=6)):
        with in_use.start_until_locked("--now") as running:
            time.sleep(generator.uniform(0, usual))
            children = running.children()
            running.signal(number := generator.choice(SIGNALS))

            assert running.wait() in (128 + number, 0, -number), f"{running.said()}, seed {seed}"
        assert in_use.left_over() == [], f"seed {seed}"
        expect_gone(children)
        assert in_use.lock_is_free()
    tally("instants stopped", times)


@pytest.mark.guarantee(1, 5)
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


@pytest.mark.guarantee(5)
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
