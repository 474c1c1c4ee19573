"""The Docker Engine is stopped, or dies, and comes back while a backup is under way."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.engine import TrackerContainer, docker, engine_answers, import_image
from support.program import Installation, is_running, wait_until
from support.small_disk import needs_root
from support.tracker_standin import build_database

pytestmark = [needs_root, pytest.mark.guarantee(3, 4, 16)]


class OwnEngine:
    """An engine that may be stopped: nobody else's tests use it.

    It has a /run of its own, so that what is run `within` finds it where an engine is by default.
    """

    def __init__(self, directory: Path) -> None:
        """Make the place; nothing runs yet."""
        self.socket = directory / "docker.sock"
        self._directory = directory
        self._daemon: subprocess.Popen[bytes] | None = None
        hold = "mount -t tmpfs none /run && echo there && exec sleep infinity"
        self._place = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c", hold], stdout=subprocess.PIPE
        )
        assert self._place.stdout is not None
        assert self._place.stdout.readline() == b"there\n"

    @property
    def within(self) -> tuple[str, ...]:
        """Return the words in front of a command that shall see this engine."""
        return ("nsenter", f"--target={self._place.pid}", "--mount")

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [*self.within, "dockerd", "--data-root", str(self._directory / "data")]
        command += ["--exec-root", str(self._directory / "exec"), "--pidfile", str(self._directory / "pid")]
        command += ["--bridge=none", "--iptables=false", "--ip6tables=false"]
        command += ["--host", "unix:///var/run/docker.sock", "--host", f"unix://{self.socket}"]
        with (self._directory / "log").open("ab") as log:
            self._daemon = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_until(engine_answers, lambda: (self._directory / "log").read_text(errors="replace")[-2000:])

    def end(self, number: signal.Signals) -> None:
        """Stop it with SIGTERM, or let it die with SIGKILL."""
        assert self._daemon is not None
        self._daemon.send_signal(number)
        self._daemon.wait()
        if number == signal.SIGKILL:
            self._end_containerd()

    def _end_containerd(self) -> None:
        """End what a killed engine leaves behind, as a service manager does: the next one would wait for it in vain."""
        note = self._directory / "exec" / "containerd" / "containerd.pid"
        pid = int(note.read_text(encoding="ascii"))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not is_running(pid), lambda: f"containerd, process {pid}, still runs")
        note.unlink()

    def remove(self) -> None:
        """End it with all that it runs."""
        if not engine_answers():
            self.start()
        self.end(signal.SIGTERM)
        self._place.kill()
        self._place.communicate()


@pytest.fixture
def own_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnEngine]:
    """Return an engine of the test's own, which the test's commands use."""
    directory = Path(tempfile.mkdtemp(prefix="tb-engine-"))
    made = OwnEngine(directory)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{made.socket}")
    made.start()
    import_image()
    yield made
    made.remove()
    shutil.rmtree(directory)


@pytest.fixture
def tracker(own_engine: OwnEngine, installation: Installation) -> Iterator[TrackerContainer]:
    """Return a tracker at work that Docker starts again with itself."""
    options = ("--restart", "unless-stopped")
    made = TrackerContainer(f"tracker-{os.getpid()}", installation.data, installation.data, options=options)
    yield made
    made.remove()


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.thorough)], ids=["killed", "stopped"]
)
def test_an_engine_that_goes_while_the_tracker_is_frozen_leaves_none_frozen(
    installation: Installation,
    own_engine: OwnEngine,
    tracker: TrackerContainer,
    number: signal.Signals,
    tally: Callable[[str, int], None],
) -> None:
    """The run ends without it, with a backup or a reason; what froze the tracker waits for the engine, and thaws it.

    Whether the container has survived the engine, and whether it is started again, is between the two of them.
    """
    with installation.start_halting("copy", "--now", wrap=own_engine.within) as running:
        assert tracker.state() == "paused"
        own_engine.end(number)
        running.go_on()
        code = running.wait()
    assert code in (0, 1), running.said()
    assert [manifest["state"] for manifest in installation.manifests()] == ["verified"] * (code == 0)
    assert code == 0 or "paused" in running.said()

    own_engine.start()

    wait_until(lambda: tracker.state() in ("running", "exited"), lambda: f"it is {tracker.state()}")
    wait_until(lambda: not (installation.directory / "state/paused.json").exists(), lambda: "it is still noted")
    if tracker.state() == "exited":
        tracker.start_again()
    done = installation.run("--now", wrap=own_engine.within)
    assert done.returncode == 0, done.stderr
    assert docker("inspect", "--format", "{{.State.Paused}}", tracker.name) == "false"
    tally("faults survived", 1)


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["prepare", "decided", "pause"])
def test_without_an_engine_there_is_no_pause_and_that_is_said(
    installation: Installation,
    own_engine: OwnEngine,
    tracker: TrackerContainer,
    phase: str,
    tally: Callable[[str, int], None],
) -> None:
    with installation.start_halting(phase, "--now", wrap=own_engine.within) as running:
        own_engine.end(signal.SIGKILL)
        running.go_on()
        assert running.wait() == 1, running.said()
    assert "docker" in running.said().lower()
    assert installation.published() == {}
    assert installation.left_over() == []
    own_engine.start()
    assert tracker.state() in ("running", "exited", "restarting")
    # What was to freeze the tracker waits for the engine; gone for good with the test's, it would wait for ever.
    wait_until(lambda: not (installation.directory / "state/paused.json").exists(), lambda: "it is still noted")
    tally("faults survived", 1)


@pytest.mark.slow
def test_a_copy_in_wal_mode_needs_no_engine(
    installation: Installation, own_engine: OwnEngine, tracker: TrackerContainer, tally: Callable[[str, int], None]
) -> None:
    tracker.remove()
    # It may have been killed in a transaction: its journal would be rolled back into the new database.
    for file in installation.data.glob(f"{installation.database.name}*"):
        file.unlink()
    build_database(installation.database, mib=4)
    tracker.start()
    for number in (signal.SIGTERM, signal.SIGKILL):
        with installation.start_halting("copy", "--now", wrap=own_engine.within) as running:
            own_engine.end(number)
            running.go_on()
            assert running.wait() == 0, running.said()
        own_engine.start()
    assert installation.restored()["ok"]
    tally("faults survived", 2)
