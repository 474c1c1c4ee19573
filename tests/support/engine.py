"""A real Docker Engine on this machine, and a tracker's container in it, without any registry."""

from __future__ import annotations

import fcntl
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from support.program import PATIENCE_SECONDS, wait_until

IMAGE = "tracker-backup-test:1"
SUPPORT = Path(__file__).resolve().parent
KEEPER = SUPPORT / "engine_keeper.py"


def docker(*arguments: str, check: bool = True) -> str:
    """Run a docker command and return what it printed."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == 0 or not check, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


def engine_answers() -> bool:
    """Return whether an engine can be reached."""
    return subprocess.run(["docker", "info"], capture_output=True, timeout=60, check=False).returncode == 0


@contextmanager
def running_engine(directory: Path) -> Iterator[None]:
    """Give the engine that is there, or one of our own below `directory`, without a network, for as long as needed.

    Test processes that run side by side share it; it ends after the last of them.
    """
    with _lock("door") as door, _lock("users") as users:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        if not engine_answers():
            _start_engine(directory, Path(users.name))
        import_image()
        fcntl.flock(door, fcntl.LOCK_UN)
        yield


def _lock(name: str) -> IO[str]:
    """Open a file that all test processes of this user lock; the engine has one socket on the whole machine."""
    return Path(tempfile.gettempdir(), f"tracker-backup-test-engine-{name}-{os.geteuid()}").open("w")


def _start_engine(directory: Path, users: Path) -> None:
    """Start an engine that ends when nobody holds the lock `users` any more, and wait until it answers."""
    places = {"--data-root": "data", "--exec-root": "exec", "--pidfile": "pid"}
    command = ["setsid", "--fork", sys.executable, str(KEEPER), str(users), "dockerd"]
    command += [word for option, place in places.items() for word in (option, str(directory / place))]
    command += ["--bridge=none", "--iptables=false", "--ip6tables=false", "--host", "unix:///var/run/docker.sock"]
    with (directory / "log").open("wb") as log:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)
    kept = lambda: bool(processes_with(str(KEEPER), str(directory)))  # noqa: E731
    said = lambda: (directory / "log").read_text(errors="replace")[-2000:]  # noqa: E731
    wait_until(lambda: engine_answers() or not kept(), said, every_seconds=0.2)
    assert kept(), said()


def import_image() -> None:
    """Make an image, if it is not there, that is empty but for the places where this machine's programs are mounted."""
    if docker("images", "--quiet", IMAGE):
        return
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in ("usr", "data", "support", "tmp"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o777
            archive.addfile(entry)
        for name in ("bin", "lib", "lib64", "sbin"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, f"usr/{name}"
            archive.addfile(entry)
    subprocess.run(["docker", "import", "-", IMAGE], input=packed.getvalue(), capture_output=True, check=True)


class TrackerContainer:
    """A container as Compose makes it for the service `tracker`, that writes into a database."""

    def __init__(
        self,
        name: str,
        stack: Path,
        data: Path,
        *,
        write: bool = True,
        options: Sequence[str] = (),
        service: str = "tracker",
        command: Sequence[str] | None = None,
    ) -> None:
        """Start it; the database is `tracker.db` in `data`.

        `options` are more of those of `docker run`; `command` is what runs, in place of what writes, or waits.
        """
        self.name = name
        self._report = data / f"{name}.json"
        self._report.unlink(missing_ok=True)
        self._command = ["run", "--detach", "--name", name, "--network", "none", "--ulimit", "nofile=1024"]
        self._command += [*options, "--label", f"com.docker.compose.service={service}"]
        self._command += ["--label", f"com.docker.compose.project.working_dir={stack}"]
        self._command += ["--volume", "/usr:/usr:ro", "--volume", f"{SUPPORT}:/support:ro", "--volume", f"{data}:/data"]
        work = ["/support/tracker_standin.py", "write", "/data/tracker.db", "--report", f"/data/{name}.json"]
        if not write:
            work = ["-c", "import signal; signal.signal(signal.SIGTERM, signal.default_int_handler); signal.pause()"]
        self._command += [IMAGE, *(command or ["/usr/bin/python3", *work])]
        self._writes = write and command is None
        self.start()

    def start(self) -> None:
        """Make and start it."""
        docker(*self._command)
        if self._writes:
            wait_until(self._report.exists, lambda: docker("logs", self.name))

    def state(self) -> str:
        """Return its state as Docker calls it, the empty string where it is gone."""
        return docker("inspect", "--format", "{{.State.Status}}", self.name, check=False)

    def health(self) -> str:
        """Return what its health check says."""
        return docker("inspect", "--format", "{{.State.Health.Status}}", self.name)

    def start_again(self) -> None:
        """Start it after a stop, and wait until it writes."""
        self._report.unlink(missing_ok=True)
        docker("start", self.name)
        wait_until(self._report.exists, lambda: docker("logs", self.name))

    def stop_quietly(self) -> None:
        """Stop what writes no report."""
        docker("stop", "--time", "30", self.name)

    def events(self, since: float) -> list[str]:
        """Return what has happened to it since then: pause, unpause, die, …"""
        until = str(time.time())
        told = docker("events", "--since", str(since), "--until", until, "--format", "{{json .}}")
        events = [json.loads(line) for line in told.splitlines()]
        return [
            event["Action"]
            for event in events
            if event["Type"] == "container" and event["Actor"]["Attributes"].get("name") == self.name
        ]

    def expect_writes(self) -> None:
        """Wait until it has written something more: it is at work."""
        before = self.report()["transactions"]
        wait_until(lambda: self.report()["transactions"] > before, lambda: f"{self.name} is {self.state()}")

    def report(self) -> dict[str, Any]:
        """Return the writer's newest report."""
        report: dict[str, Any] = json.loads(self._report.read_text())
        return report

    def stop(self) -> dict[str, Any]:
        """Stop it and return the writer's final report."""
        docker("stop", "--time", "30", self.name)
        report = self.report()
        assert report["finished"], report
        return report

    def remove(self) -> None:
        """Remove it, whatever it is doing."""
        if self.state() == "paused":
            docker("unpause", self.name)
        docker("rm", "--force", self.name, check=False)


def processes_with(*words: str) -> set[int]:
    """Return the processes whose command lines hold all these words."""
    found = set()
    for file in (process / "cmdline" for process in Path("/proc").glob("[0-9]*")):
        try:
            line = file.read_bytes()
        except OSError:
            continue
        if all(os.fsencode(word) in line for word in words):
            found.add(int(file.parent.name))
    return found
