"""One writing run at a time; who comes second is told by whom it is held up, or waits."""

from __future__ import annotations

import signal

import pytest

from support.program import Installation, wait_until


@pytest.mark.guarantee(2)
def test_the_second_of_two_runs_is_told_who_is_at_work(installation: Installation) -> None:
    with installation.start_halting("compress", "--now") as first:
        second = installation.run("--now")

        assert second.returncode == 4
        assert f"process {first.pid}, job daily, phase compress tracker" in second.stderr
        assert installation.manifests() == []
        first.signal(signal.SIGTERM)
        assert first.wait() == 143

    assert installation.back_up()["state"] == "verified"


@pytest.mark.guarantee(2)
def test_one_that_waits_gets_its_turn(installation: Installation) -> None:
    with installation.start_halting("compress", "--now") as first, installation.start("--now", "--wait") as second:
        waiting = installation.repository / ".lock"
        wait_until(lambda: second.has_open(waiting), second.said, second)
        first.signal(signal.SIGKILL)
        first.wait()

        assert second.wait() == 0, second.said()

    assert len(installation.manifests()) == 1


@pytest.mark.guarantee(2)
def test_reading_takes_no_lock_and_disturbs_no_run(installation: Installation) -> None:
    installation.back_up()
    with installation.start_halting("compress", "--now") as running:
        assert installation.run("list").returncode == 0
        assert installation.run("verify", "--latest").returncode == 0
        target = installation.directory / "restored"
        assert installation.run("restore", "latest", "--to", str(target)).returncode == 0
        running.signal(signal.SIGTERM)
        assert running.wait() == 143
