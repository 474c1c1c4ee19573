"""A large database with a rollback journal is copied while its tracker is frozen, and the tracker loses nothing."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.databases import tracker_database
from support.engine import TrackerContainer, docker
from support.program import Installation, Running, wait_until
from support.tracker_standin import check_invariant

StartSlowly = Callable[[float], Running]
Start = Callable[..., TrackerContainer]


def marker(installation: Installation) -> Path:
    """Return where a pause is noted."""
    return installation.directory / "state" / "paused.json"


def wait_for_pause(running: Running, *containers: TrackerContainer) -> None:
    """Wait until all the containers are frozen."""
    for container in containers:
        wait_until(lambda container=container: container.state() == "paused", running.said, running)


@pytest.mark.guarantee(3, 4, 6)
def test_the_tracker_is_frozen_for_the_copy_and_loses_nothing(
    installation: Installation, tracker: TrackerContainer, tmp_path: Path
) -> None:
    since = time.time()

    manifest = installation.back_up()

    assert tracker.state() == "running"
    tracker.expect_writes()
    assert tracker.events(since) == ["pause", "unpause"]
    [artifact] = manifest["artifacts"]
    assert artifact["method"] == "paused"
    assert 0 < artifact["pause_seconds"] < manifest["seconds"]["copy"]
    assert 0 < artifact["write_stall_seconds"] < artifact["pause_seconds"]
    assert not marker(installation).exists()
    done = installation.run("restore", "latest", "--to", str(tmp_path / "restored"))
    assert done.returncode == 0, done.stderr
    copy = check_invariant(tmp_path / "restored" / "tracker.sqlite3", integrity=True)
    assert copy["ok"], copy
    report = tracker.stop()
    assert report["failed"] == 0, report
    assert copy["counter"] <= report["transactions"]


def test_a_database_among_the_files_is_worth_a_pause_of_the_service_that_has_it_mounted(
    installation: Installation, tracker: TrackerContainer
) -> None:
    compose = 'services: {tracker: {image: x, volumes: [".:/data"]}}'
    (installation.data / "compose.yml").write_text(compose, encoding="utf-8")
    installation.configure(sources=[{"name": "files", "type": "files"}])
    [foretold] = [item["what"] for item in installation.examined() if item["pause_seconds"]]
    assert foretold.startswith("files: ")
    since = time.time()

    [artifact] = installation.back_up()["artifacts"]

    assert tracker.events(since) == ["pause", "unpause"]
    [within] = artifact["engine"]["databases"]
    assert (within["method"], within["check"]) == ("paused", "ok")
    assert artifact["pause_seconds"] == within["pause_seconds"] > 0
    assert artifact["write_stall_seconds"] == within["write_stall_seconds"] > 0
    assert tracker.stop()["failed"] == 0


@pytest.mark.thorough
@pytest.mark.guarantee(3, 6)
def test_a_gibibyte_is_copied_while_its_tracker_is_frozen(
    installation: Installation, start_container: Start, tmp_path: Path
) -> None:
    """At this size the pause is seconds; the tracker's writes are late by that, and none of them is lost."""
    tracker_database(installation.database, 1040, journal_mode="delete")
    installation.configure(max_write_stall_seconds=0.3)
    tracker = start_container()
    forecast = next(item for item in installation.examined() if item["pause_seconds"])

    [artifact] = installation.back_up()["artifacts"]

    assert artifact["method"] == "paused"
    assert 0 < artifact["pause_seconds"] <= 120
    assert tracker.state() == "running"
    tracker.expect_writes()
    report = tracker.stop()
    print(f"foretold {forecast['pause_seconds']:.1f} s, {artifact}, writer {report}")
    assert report["failed"] == 0, report
    done = installation.run("restore", "latest", "--to", str(tmp_path / "restored"))
    assert done.returncode == 0, done.stderr
    assert check_invariant(tmp_path / "restored" / "tracker.sqlite3")["ok"]


def test_the_seconds_are_told(installation: Installation, tracker: TrackerContainer, start_slowly: StartSlowly) -> None:
    with start_slowly(1) as running:
        assert running.wait() == 0, running.said()

    [artifact] = installation.listed()[-1]["artifacts"]
    assert artifact["pause_seconds"] > 1
    said = installation.run("list").stdout
    assert f"{artifact['pause_seconds']:.1f} s" in said
    assert tracker.stop()["failed"] == 0


def test_what_turns_out_too_slow_is_copied_in_a_pause_the_same_night(
    installation: Installation, tracker: TrackerContainer, start_slowly: StartSlowly
) -> None:
    """It was expected to fit, and did not; nobody has to wait for the next night."""
    installation.configure(max_write_stall_seconds=0.3)

    with start_slowly(2) as running:
        assert running.wait() == 0, running.said()

    [artifact] = installation.listed()[-1]["artifacts"]
    assert artifact["method"] == "paused"
    assert "copied in a pause instead" in installation.log.read_text(encoding="utf-8")
    assert not (installation.directory / "state" / "rates.json").exists()
    assert tracker.state() == "running"
    assert tracker.stop()["failed"] == 0


@pytest.mark.guarantee(6)
@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"sqlite_when_busy": "refuse"}, "sqlite_when_busy is refuse"),
        ({"max_pause_seconds": 0.0005}, "max_pause_seconds"),
    ],
    ids=["refuse", "too-long"],
)
def test_what_is_refused_costs_the_tracker_nothing(
    installation: Installation, tracker: TrackerContainer, setting: dict[str, object], told: str
) -> None:
    installation.configure(**setting)
    since = time.time()

    done = installation.run("--now")

    assert done.returncode == 1
    assert told in done.stderr
    assert "PRAGMA journal_mode=WAL" in done.stderr
    assert tracker.events(since) == []
    assert tracker.stop()["failed"] == 0


@pytest.mark.guarantee(3)
def test_all_containers_of_the_service_are_frozen_and_thawed(
    installation: Installation, tracker: TrackerContainer, start_container: Start, start_slowly: StartSlowly
) -> None:
    another = start_container()
    with start_slowly(1) as running:
        wait_for_pause(running, tracker, another)
        assert running.wait() == 0, running.said()

    for container in (tracker, another):
        assert container.state() == "running"
        assert container.stop()["failed"] == 0


@pytest.mark.guarantee(3)
def test_what_somebody_else_has_paused_stays_paused(installation: Installation, start_container: Start) -> None:
    container = start_container(write=False)
    docker("pause", container.name)
    since = time.time()

    manifest = installation.back_up()

    assert manifest["artifacts"][0]["method"] == "pinned"
    assert container.state() == "paused"
    assert container.events(since) == []


@pytest.mark.guarantee(3, 16)
@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, *(pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGHUP, signal.SIGINT))],
)
def test_a_signal_ends_the_pause(
    installation: Installation, tracker: TrackerContainer, start_slowly: StartSlowly, number: signal.Signals
) -> None:
    with start_slowly(60) as running:
        wait_for_pause(running, tracker)
        running.signal(number)
        assert running.wait() == 128 + number, running.said()

    assert tracker.state() == "running"
    assert not marker(installation).exists()
    assert installation.left_over() == []
    assert tracker.stop()["failed"] == 0


@pytest.mark.guarantee(3)
def test_a_list_meanwhile_leaves_the_pause_alone(
    installation: Installation, tracker: TrackerContainer, start_slowly: StartSlowly
) -> None:
    since = time.time()
    with start_slowly(6) as running:
        wait_for_pause(running, tracker)
        assert installation.run("list").stderr == ""
        assert tracker.state() == "paused"
        assert running.wait() == 0, running.said()

    assert tracker.events(since) == ["pause", "unpause"]
    assert tracker.stop()["failed"] == 0


@pytest.mark.guarantee(3, 16)
def test_a_run_that_stands_still_does_not_keep_the_tracker_frozen(
    installation: Installation, tracker: TrackerContainer, start_slowly: StartSlowly
) -> None:
    """Its time is over, so the freezer lets the tracker go, and the copy is given up as soon as it moves again."""
    installation.configure(max_pause_seconds=3)
    with start_slowly(2.7) as running:
        wait_for_pause(running, tracker)
        running.signal(signal.SIGSTOP)
        wait_until(lambda: tracker.state() == "running", lambda: "it stays frozen")
        running.signal(signal.SIGCONT)
        assert running.wait() == 1

    assert "could not be copied in the 3 s for which the tracker may be paused" in running.said()
    assert tracker.stop()["failed"] == 0


@pytest.mark.guarantee(3)
def test_a_pause_that_cannot_be_noted_is_none(installation: Installation, tracker: TrackerContainer) -> None:
    marker(installation).mkdir(parents=True)
    since = time.time()

    done = installation.run("--now")

    assert done.returncode == 1
    assert f"cannot be noted in {marker(installation)}: Is a directory" in done.stderr
    assert tracker.events(since) == []
    assert tracker.stop()["failed"] == 0


@pytest.mark.guarantee(3, 6)
@pytest.mark.parametrize(
    "command", ["restart", *(pytest.param(command, marks=pytest.mark.slow) for command in ("stop", "rm", "unpause"))]
)
def test_a_container_that_is_meddled_with_ends_the_copy_not_the_tracker(
    installation: Installation, tracker: TrackerContainer, start_slowly: StartSlowly, command: str
) -> None:
    """Whoever comes back must not wait for the rest of a long copy."""
    words = {"stop": ["stop"], "restart": ["restart"], "rm": ["rm", "--force"], "unpause": ["unpause"]}[command]
    with start_slowly(60) as running:
        wait_for_pause(running, tracker)
        docker(*words, tracker.name)
        assert running.wait() == 1

    assert "was given up, so that nobody waits for it" in running.said()
    assert not marker(installation).exists()
    if command in ("restart", "unpause"):
        assert tracker.state() == "running"
        tracker.expect_writes()
        assert tracker.stop()["failed"] == 0
    else:
        tracker.remove()
        tracker.start()
        assert installation.back_up()["artifacts"][0]["method"] == "paused"
        assert tracker.stop()["failed"] == 0
