"""The real program, run as a process below a test's own directory, and what there is to see of it afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import yaml

from support.tracker_standin import check_invariant

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "scripts" / "tracker_backup"
HALTING = Path(__file__).with_name("halting.py")
PATIENCE_SECONDS = 120
"""For what must happen in the end; no test is about how soon."""

# Whoever runs the tests in the background may have made them ignore some of these, and a program inherits that.
_DEFAULT_SIGNALS = ("env", "--default-signal=HUP,INT,TERM,PIPE")


class Installation:
    """A configuration, a repository, and the commands of the program on them."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        """Make the directories below `directory`; `settings` go into the configuration."""
        self.directory = directory
        self.config_directory = directory / "etc"
        self.data = directory / "data"
        self.repository = Path(settings.get("repository", directory / "repository"))
        self.log = directory / "log" / "default.log"
        self.python = sys.executable
        self.settings: dict[str, Any] = {}
        for needed in (self.config_directory, self.data):
            needed.mkdir(parents=True, exist_ok=True)
        self.configure(**settings)

    @property
    def database(self) -> Path:
        """Where the tracker's database is, if the test puts it into its usual place."""
        return self.data / "tracker.db"

    def configure(self, **settings: Any) -> None:
        """Write the configuration, with `settings` on top of what is there; None takes a setting away."""
        self.settings = {
            "stack": str(self.data),
            "repository": str(self.repository),
            "state_directory": str(self.directory / "state"),
            "log_file": str(self.log),
            "sources": [sqlite_source("tracker", self.database)],
            "schedule": {"target": str(self.directory / "crontab")},
            **self.settings,
            **settings,
        }
        document = {key: value for key, value in self.settings.items() if value is not None}
        file = self.config_directory / "default.yml"
        file.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        file.chmod(0o600)

    @property
    def staging(self) -> Path:
        """Where raw snapshots lie while a run is under way."""
        elsewhere = self.settings.get("staging")
        return Path(elsewhere, ".staging-default") if elsewhere else self.repository / ".staging"

    def environment(self) -> dict[str, str]:
        """Return the environment in which the program finds this configuration."""
        return {**os.environ, "TRACKER_BACKUP_CONFIG_DIRECTORY": str(self.config_directory)}

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of the program."""
        return [*_DEFAULT_SIGNALS, self.python, "-I", str(PROGRAM), *arguments]

    def run(self, *arguments: str, wrap: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run the program to its end; `wrap` are words in front of it, such as those of setpriv."""
        return subprocess.run(
            [*wrap, *self.command(*arguments)],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS * 10,
            check=False,
        )

    def back_up(self, *arguments: str) -> dict[str, Any]:
        """Make a backup that must succeed, and return its manifest."""
        done = self.run("--now", *arguments)
        assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return self.manifests()[-1]

    def restored(self, backup: str = "latest", source: str = "tracker") -> dict[str, Any]:
        """Restore a backup of the stand-in's database, and return what its own check says of that."""
        target = self.directory / "restored"
        shutil.rmtree(target, ignore_errors=True)
        done = self.run("restore", backup, "--to", str(target))
        assert done.returncode == 0, done.stderr
        return check_invariant(target / f"{source}.sqlite3", integrity=True)

    def start(self, *arguments: str) -> Running:
        """Start the program and return at once."""
        return Running(self.command(*arguments), self.environment())

    def start_halting(self, phase: str, *arguments: str, wrap: tuple[str, ...] = ()) -> Running:
        """Start the program such that it stands still in `phase`, and wait until it does; see halting.py.

        `wrap` are words in front of it, as those of nsenter.
        """
        told = self.directory / f"halted-{phase.replace(' ', '-')}"
        told.unlink(missing_ok=True)
        command = [*wrap, *_DEFAULT_SIGNALS, self.python, "-I", str(HALTING), phase, str(told), *arguments]
        running = Running(command, self.environment())
        wait_until(told.exists, lambda: f"the program never came to {phase!r}: {running.said()}", running)
        running.halted_pid, running.halted_by = int(told.read_text(encoding="ascii")), told
        return running

    def phase(self) -> str | None:
        """Return what the holder of the repository's lock has noted there, or None."""
        try:
            phase: str = json.loads((self.repository / ".lock").read_text(encoding="utf-8"))["phase"]
        except (FileNotFoundError, ValueError):
            return None
        return phase

    def start_until_phase(self, phase: str, *arguments: str) -> Running:
        """Start the program and wait until it notes `phase` in its lock."""
        running = self.start(*arguments)
        wait_until(lambda: self.phase() == phase, lambda: f"no phase {phase!r}: {running.said()}", running)
        return running

    def start_until_locked(self, *arguments: str) -> Running:
        """Start the program and wait until it notes anything in its lock; the first phase may be over in no time."""
        running = self.start(*arguments)
        wait_until(lambda: self.phase() is not None, lambda: f"it never held the lock: {running.said()}", running)
        return running

    def manifests(self) -> list[dict[str, Any]]:
        """Return the manifests of all backups, oldest first, as they lie in the repository."""
        found = sorted(self.repository.glob("[0-9]*/manifest.json"))
        return [json.loads(file.read_text(encoding="utf-8")) for file in found]

    def examined(self) -> list[dict[str, Any]]:
        """Return what the doctor finds."""
        found: list[dict[str, Any]] = json.loads(self.run("doctor", "--json").stdout)
        return found

    def listed(self) -> list[dict[str, Any]]:
        """Return what `list --json` prints."""
        done = self.run("list", "--json")
        assert done.returncode == 0, done.stderr
        manifests: list[dict[str, Any]] = json.loads(done.stdout)
        return manifests

    def published(self) -> dict[str, bytes]:
        """Return the bytes of every file below a final name, by its path in the repository."""
        return {
            str(file.relative_to(self.repository)): file.read_bytes()
            for file in sorted(self.repository.rglob("*"))
            if file.is_file() and not file.relative_to(self.repository).parts[0].startswith(".")
        }

    def quarantined(self) -> list[Path]:
        """Return the sets in quarantine."""
        directory = self.repository / ".quarantine"
        return sorted(directory.iterdir()) if directory.exists() else []

    def left_over(self) -> list[str]:
        """Return what lies in staging and in the place of unfinished backups."""
        places = [self.repository / ".incoming", self.staging]
        return sorted(str(entry) for place in places if place.exists() for entry in place.rglob("*"))

    def lock_is_free(self) -> bool:
        """Return whether nobody holds the repository's lock."""
        free = subprocess.run(["flock", "--nonblock", str(self.repository / ".lock"), "true"], check=False)
        return free.returncode == 0


class Running:
    """The program at work in the background; its whole group is ended with the `with` block."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        """Start it."""
        self.halted_pid = 0
        self.halted_by: Path | None = None
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self._said: tuple[str, str] | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it, and what it has halted."""
        if self._process.poll() is None:
            self._process.kill()
        if self.halted_pid:
            _kill_if_there(self.halted_pid)
        self.wait()

    def alive(self) -> bool:
        """Return whether it is still running."""
        return self._process.poll() is None

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def go_on(self) -> None:
        """Let go on what stands still at the place where a test wanted it."""
        if self.halted_pid:
            os.kill(self.halted_pid, signal.SIGCONT)
        elif self.halted_by is not None:
            self.halted_by.unlink()

    def wait(self) -> int:
        """Wait for its end and return its exit code, the negative number of the signal if one ended it."""
        if self._said is None:
            self._said = self._process.communicate(timeout=PATIENCE_SECONDS)
        return self._process.returncode

    def said(self) -> str:
        """Return all that it wrote, once it has ended; what it is, while it runs."""
        if self.alive():
            return "it is still running"
        self.wait()
        return "\n".join(self._said or ())

    def has_open(self, path: Path) -> bool:
        """Return whether it has a file open; what it closes while we look is passed over."""
        wanted = os.path.realpath(path)
        for link in Path("/proc", str(self.pid), "fd").glob("*"):
            with contextlib.suppress(FileNotFoundError):
                if os.readlink(link) == wanted:  # noqa: PTH115 - compared as text
                    return True
        return False

    def children(self) -> set[int]:
        """Return the processes that it has started and that run now."""
        return {pid for pid, parent in _parents().items() if parent == self.pid}


def sqlite_source(name: str, path: Path | str) -> dict[str, str]:
    """Return an entry of `sources:`."""
    return {"name": name, "type": "sqlite", "path": str(path)}


def wait_until(
    condition: Callable[[], bool],
    otherwise: Callable[[], str],
    running: Running | None = None,
    every_seconds: float = 0.005,
) -> None:
    """Wait for something that must come; fail when it does not, or when the program it depends on has ended."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        ended = running is not None and not running.alive()
        assert time.monotonic() < give_up, otherwise()
        assert not ended or condition(), otherwise()
        time.sleep(every_seconds)


def is_running(pid: int) -> bool:
    """Return whether a process exists and is more than a zombie."""
    try:
        return _state(Path("/proc", str(pid), "stat").read_text(encoding="utf-8", errors="replace"))[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def tree(directory: Path) -> dict[str, tuple[int, int, int, int]]:
    """Return inode, mode, size and time of change (ns) of all that is below a directory."""
    found = {}
    for path in [directory, *directory.rglob("*")]:
        status = path.lstat()
        found[str(path.relative_to(directory))] = (status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns)
    return found


def _parents() -> dict[int, int]:
    parents = {}
    for stat in (process / "stat" for process in Path("/proc").glob("[0-9]*")):
        try:
            text = stat.read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent = _state(text)[:2]
        if state != "Z":
            parents[int(stat.parent.name)] = int(parent)
    return parents


def _state(stat: str) -> list[str]:
    return stat.rpartition(")")[2].split()


def _kill_if_there(pid: int) -> None:
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return
