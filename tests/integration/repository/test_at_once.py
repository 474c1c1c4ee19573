"""Several programs at once, and programs that are killed."""

from __future__ import annotations

import time

import pytest

from support.instance import Instance


@pytest.mark.guarantee(2)
def test_who_waits_gets_a_turn(instance: Instance) -> None:
    instance.configure(jobs=[{"name": "daily", "keep": {"last": 100}}])
    processes = [instance.start("--now", "--quiet", "--wait") for _ in range(6)]
    said = [process.communicate(timeout=120) for process in processes]

    assert [process.returncode for process in processes] == [0] * 6
    assert said == [("", "")] * 6
    assert len(set(instance.ids())) == 6
    log = instance.log.read_text(encoding="utf-8").splitlines()
    running: str | None = None
    for line in log:
        process = line[line.index("[") : line.index("]") + 1]
        if " begins" in line:
            assert running is None, "two at work at once"
            running = process
        assert process == running
        if " exit=0 " in line:
            running = None


@pytest.mark.guarantee(2)
def test_who_does_not_wait_is_told_who_is_at_work(instance: Instance) -> None:
    instance.configure(jobs=[{"name": "daily", "keep": {"last": 100}}])
    processes = [instance.start("--now", "--quiet") for _ in range(4)]
    said = [process.communicate(timeout=120)[1] for process in processes]

    codes = [process.returncode for process in processes]
    assert set(codes) <= {0, 4}
    assert codes.count(0) == len(instance.ids()) >= 1
    assert all("another run is at work" in text for code, text in zip(codes, said, strict=True) if code == 4)


@pytest.mark.guarantee(1)
def test_a_killed_run_leaves_nothing_that_the_next_one_does_not_clear(instance: Instance) -> None:
    instance.configure(rate_limit_mib_per_second=0.02)
    process = instance.start("--now", "--quiet")
    while not list(instance.path.glob(".staging/*/tracker/*")):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert list(instance.path.glob(".staging/*"))
    instance.configure()

    listed, done = instance.run("list"), instance.run("--now", "--quiet")

    assert "There is no backup" in listed.stdout
    assert (done.returncode, done.stderr) == (0, "")
    assert len(instance.ids()) == 1
    assert list(instance.path.glob(".staging/*")) == list(instance.path.glob(".incoming/*")) == []
    assert instance.run("verify", "--full").returncode == 0


@pytest.mark.guarantee(1, 2)
def test_two_instances_share_a_scratch_disk(instance: Instance) -> None:
    """At the same time, under the same job's name: neither clears away what the other is at."""
    other = Instance(instance.base, "second")
    other.build()
    scratch = instance.base / "scratch"
    for each in (instance, other):
        each.configure(staging=str(scratch), rate_limit_mib_per_second=0.2)
        each.repository.init()

    processes = [each.start("--instance", each.name, "--now", "--quiet") for each in (instance, other)]
    said = [process.communicate(timeout=60) for process in processes]

    assert said == [("", ""), ("", "")]
    assert (len(instance.ids()), len(other.ids())) == (1, 1)


def test_a_link_instead_of_the_lock_is_refused(instance: Instance) -> None:
    (instance.path / ".lock").symlink_to(instance.base / "victim")

    done, status = instance.run("--now", "--quiet"), instance.run("status")

    assert done.returncode == 1
    assert "cannot open the lock" in done.stderr
    assert status.returncode == 3
    assert not (instance.base / "victim").exists()
