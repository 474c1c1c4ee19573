"""A pause ends, whatever Docker does and whoever dies; with a docker program of the tests' own."""

from __future__ import annotations

import fcntl
import gc
import json
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tracker_backup.containers import pause as pausing
from tracker_backup.containers.docker import MARKER_NAME, Container
from tracker_backup.containers.pause import Pause, thaw_left_behind
from tracker_backup.errors import CommandError, SourceError

if TYPE_CHECKING:
    from conftest import FakeDocker

# A freezer that has still something to thaw is left to it, where the program would end soon.
pytestmark = pytest.mark.filterwarnings(r"ignore:subprocess \d+ is still running:ResourceWarning")


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """Return where a pause is noted."""
    return tmp_path / "state" / MARKER_NAME


def pause_of(marker: Path, *names: str, limit_seconds: float = 60) -> Pause:
    """Return a pause of containers whose id is their name."""
    return Pause([Container(name, "running", name) for name in names], marker, limit_seconds)


def leave_behind(marker: Path, text: str = '{"containers": ["one"]}') -> None:
    """Note a pause whose owners are dead."""
    marker.parent.mkdir(exist_ok=True)
    marker.write_text(text)


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what must come."""
    give_up = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_containers_are_frozen_within_and_thawed_after(docker: FakeDocker, marker: Path) -> None:
    docker.add("two")
    with pause_of(marker, "one", "two") as pause:
        assert docker.calls() == []
        with pause.frozen():
            assert [docker.state(name) for name in ("one", "two")] == ["paused", "paused"]
            assert json.loads(marker.read_text())["containers"] == ["one", "two"]
            assert pause.lost() is None
        assert [docker.state(name) for name in ("one", "two")] == ["running", "running"]

    assert 0 < pause.freezing_seconds < pause.seconds
    assert not marker.exists()


def test_a_pause_that_was_never_needed_leaves_no_trace(docker: FakeDocker, marker: Path) -> None:
    """The lock was not to be had, for example."""
    with pause_of(marker, "one"):
        pass

    assert docker.calls() == []
    assert not marker.exists()


def test_the_state_directory_can_be_read_by_others(docker: FakeDocker, marker: Path) -> None:
    """status.json is there for monitoring, and the program's umask is 077."""
    before = os.umask(0o077)
    try:
        with pause_of(marker, "one"):
            assert marker.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)

    assert marker.parent.stat().st_mode & 0o777 == 0o755


def test_what_the_block_raises_thaws_and_is_raised(docker: FakeDocker, marker: Path) -> None:
    with pytest.raises(ZeroDivisionError), pause_of(marker, "one") as pause, pause.frozen():
        raise ZeroDivisionError

    assert docker.state("one") == "running"
    assert not marker.exists()


def test_one_that_cannot_be_frozen_thaws_the_others(docker: FakeDocker, marker: Path) -> None:
    with (
        pytest.raises(SourceError, match=r"one, gone cannot be paused: .*No such container"),
        pause_of(marker, "one", "gone") as pause,
        pause.frozen(),
    ):
        pytest.fail("nothing may be copied")

    assert docker.state("one") == "running"
    assert not marker.exists()


def test_what_somebody_else_paused_first_is_not_ours_to_thaw(docker: FakeDocker, marker: Path) -> None:
    docker.add("theirs", "paused")

    with (
        pytest.raises(SourceError, match="already paused"),
        pause_of(marker, "one", "theirs") as pause,
        pause.frozen(),
    ):
        pytest.fail("nothing may be copied")

    assert docker.state("theirs") == "paused"
    assert docker.state("one") == "running"


def test_a_docker_that_hangs_is_not_waited_for_under_the_lock(
    docker: FakeDocker, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pause may come into force later; whoever asked for it stays until then, and undoes it."""
    monkeypatch.setattr(pausing, "FREEZE_SECONDS", 0.3)
    monkeypatch.setattr(pausing, "THAW_SECONDS", 0.3)
    docker.hang("pause")

    with pytest.raises(SourceError, match="may still be paused"), pause_of(marker, "one") as pause, pause.frozen():
        pytest.fail("nothing may be copied")
    assert thaw_left_behind(marker.parent) == [], "its owner lives"
    assert marker.exists()
    docker.go_on("pause")
    eventually(lambda: not marker.exists())

    assert docker.calls() == ["pause one", "unpause one"]
    assert docker.state("one") == "running"
    with warnings.catch_warnings():  # that it outlives whoever has started it is what it is for
        warnings.simplefilter("ignore", ResourceWarning)
        del pause
        gc.collect()


def test_an_engine_that_restarts_is_waited_for(docker: FakeDocker, marker: Path) -> None:
    with pause_of(marker, "one") as pause, pause.frozen():
        docker.fail("unpause", "dial unix /var/run/docker.sock: connect: no such file or directory")
        docker.fail("inspect", "dial unix /var/run/docker.sock: connect: no such file or directory")
        threading.Timer(0.7, lambda: [docker.mend(command) for command in ("inspect", "unpause")]).start()

    assert docker.state("one") == "running"
    assert not marker.exists()


def test_a_service_that_cannot_be_thawed_is_an_error(
    docker: FakeDocker, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pausing, "THAW_SECONDS", 0.3)

    with (
        pytest.raises(SourceError, match="one may still be paused") as raised,
        pause_of(marker, "one") as pause,
        pause.frozen(),
    ):
        docker.fail("unpause")
    docker.mend("unpause")
    eventually(lambda: not marker.exists())

    assert "docker unpause one" in str(raised.value)
    assert docker.state("one") == "running"


@pytest.mark.parametrize("state", ["running", "exited", "restarting"])
def test_a_container_that_goes_on_by_itself_is_noticed(docker: FakeDocker, marker: Path, state: str) -> None:
    with pause_of(marker, "one") as pause, pause.frozen():
        docker.add("one", state)
        told: list[str] = []
        eventually(lambda: bool(told.extend(filter(None, [pause.lost()])) or told))

    assert told == [f"container one, which was paused for the copy, is {state} now"]
    assert not marker.exists()


@pytest.mark.guarantee(3)
def test_what_somebody_has_thawed_and_paused_again_is_theirs(docker: FakeDocker, marker: Path) -> None:
    """They have taken it out of our hands; what is still as we left it is thawed all the same."""
    docker.add("two")
    with pause_of(marker, "one", "two") as pause, pause.frozen():
        docker.add("one", "running")
        eventually(lambda: pause.lost() is not None)
        docker.add("one", "paused")

    assert (docker.state("one"), docker.state("two")) == ("paused", "running")
    assert "unpause one" not in docker.calls()
    assert not marker.exists()


def test_a_container_that_is_removed_meanwhile_is_no_trouble(docker: FakeDocker, marker: Path) -> None:
    with pause_of(marker, "one") as pause, pause.frozen():
        docker.remove("one")

    assert not marker.exists()


def test_the_limit_ends_it(docker: FakeDocker, marker: Path) -> None:
    with pause_of(marker, "one", limit_seconds=0.2) as pause, pause.frozen():
        eventually(lambda: docker.state("one") == "running")
        assert "its limit" in (pause.lost() or "")

    assert pause.seconds >= 0.2
    assert not marker.exists()


def test_a_freezer_that_dies_is_stood_in_for(docker: FakeDocker, marker: Path) -> None:
    with pause_of(marker, "one") as pause, pause.frozen():
        os.kill(json.loads(marker.read_text())["pid"], signal.SIGKILL)

    assert docker.state("one") == "running"
    assert pause.seconds > 0
    assert not marker.exists()


def test_two_pauses_at_a_time_are_refused(docker: FakeDocker, marker: Path) -> None:
    with pause_of(marker, "one") as pause, pause.frozen():
        with pytest.raises(SourceError, match="another pause is under way"), pause_of(marker, "one"):
            pytest.fail("it was begun")
        assert docker.state("one") == "paused"
        assert marker.exists()

    assert docker.state("one") == "running"


@pytest.mark.parametrize("kind", ["directory", "link"])
def test_a_pause_that_cannot_be_noted_is_not_begun(docker: FakeDocker, marker: Path, kind: str) -> None:
    marker.parent.mkdir()
    if kind == "directory":
        marker.mkdir()
    else:
        marker.symlink_to("/nonexistent/elsewhere")

    with pytest.raises(SourceError, match=r"cannot be noted in .*paused\.json"), pause_of(marker, "one"):
        pytest.fail("it was begun")

    assert docker.calls() == []


def test_a_pause_that_there_is_no_room_to_note_is_not_begun(docker: FakeDocker, marker: Path) -> None:
    pause = pause_of(marker, "one")
    pause._argv = ["prlimit", "--fsize=10", *pause._argv]

    with pytest.raises(SourceError, match=r"cannot be noted in .*paused\.json: "), pause:
        pytest.fail("it was begun")

    assert docker.calls() == []
    eventually(lambda: not marker.exists())


def test_a_state_directory_that_cannot_be_made_is_an_error(docker: FakeDocker, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SourceError, match="cannot be noted"), pause_of(tmp_path / "file" / "state" / "x", "one"):
        pytest.fail("it was begun")


def test_what_was_left_behind_is_thawed(docker: FakeDocker, marker: Path) -> None:
    docker.add("one", "paused")
    docker.add("two", "exited")
    leave_behind(marker, '{"containers": ["one", "two", "gone"]}')

    assert thaw_left_behind(marker.parent) == ["one"]

    assert docker.state("one") == "running"
    assert not marker.exists()
    assert "unpause two" not in docker.calls()


@pytest.mark.parametrize("text", ["", '{"containers": ["on', "[]", "null", '{"containers": null}'])
def test_a_marker_that_was_cut_off_is_removed(docker: FakeDocker, marker: Path, text: str) -> None:
    """Whoever wrote it died before it froze anything."""
    leave_behind(marker, text)

    assert thaw_left_behind(marker.parent) == []

    assert not marker.exists()
    assert docker.calls() == []


@pytest.mark.parametrize("command", ["inspect", "unpause"])
def test_what_cannot_be_thawed_now_stays_noted(docker: FakeDocker, marker: Path, command: str) -> None:
    docker.add("one", "paused")
    leave_behind(marker)
    docker.fail(command)

    with pytest.raises(CommandError, match="may have left the tracker paused"):
        thaw_left_behind(marker.parent)
    assert marker.exists()
    docker.mend(command)

    assert thaw_left_behind(marker.parent) == ["one"]


def test_a_marker_whose_owner_lives_is_left_alone(docker: FakeDocker, marker: Path) -> None:
    """Its process id says nothing: it may be another process's by now."""
    docker.add("one", "paused")
    leave_behind(marker, json.dumps({"containers": ["one"], "pid": os.getpid()}))
    with marker.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert thaw_left_behind(marker.parent) == []
        assert docker.state("one") == "paused"

    assert thaw_left_behind(marker.parent) == ["one"]
