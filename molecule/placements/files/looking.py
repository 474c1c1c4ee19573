"""What kills.py looks at: containers, the lock, backups and what is left beside them; and what must be so."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

STACK = Path("/opt/torrust")
REPOSITORY = STACK / "backups"
INSTANCE = "default"
OURS = f"label=org.tracker-backup.instance={INSTANCE}"
HELPERS = f"label=org.tracker-backup.helper={INSTANCE}"
SERVICES = ("tracker", "index", "archive", "mysql")  # the containers of the stack's own services
BACKUP = re.compile(r"2\d{7}T\d{6}Z-[a-z0-9-]+")
PROGRAM = re.compile(rb"tracker.backup.* --now|docker start --attach")  # an orchestrator's waits for its helper
# Limits are those of a machine whose cores have other scenarios to play as well; they end what hangs.
PAUSED_SECONDS = 5.0  # how long a service may stay frozen after a kill: the promise is one second
FREE_SECONDS = 20.0  # how long what was killed may take to die, and with it the lock
RUN_SECONDS = 300.0
CRON_SECONDS = 5.0  # how long after the minute cron may begin
QUIET_UNTIL = 52  # the second of a minute after which nothing is begun, as cron starts something at the next


class WrongError(Exception):
    """Something is not as it must be."""


def require(condition: object, *what: object) -> None:
    """Raise WrongError unless it is so."""
    if not condition:
        raise WrongError(" ".join(str(part) for part in what))


def docker(*words: str, check: bool = True) -> str:
    """Run a docker command and return what it printed."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False, cwd=STACK, timeout=120)
    require(not check or done.returncode == 0, "docker", *words, "->", done.returncode, done.stderr)
    return done.stdout.strip()


def outside(*words: str) -> tuple[int, str]:
    """Run the host's own tracker-backup; return its exit code and all that it said."""
    command = ["tracker-backup", "--instance", INSTANCE, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=RUN_SECONDS)
    return done.returncode, done.stdout + done.stderr


def wait_until(condition: Callable[[], object], seconds: float, *what: object) -> float:
    """Wait for it, and return how long that took."""
    begin = time.monotonic()
    while not condition():
        require(time.monotonic() - begin < seconds, "not within", seconds, "s:", *what)
        time.sleep(0.02)
    return time.monotonic() - begin


class Container:
    """The container whose runs are disturbed: of the sidecars, the one of the tracker's database."""

    def __init__(self, placement: str) -> None:
        """Find out the name of its service."""
        self.placement = placement
        self.service = "backup-tracker" if placement == "sidecar" else "backup"
        require(self.id, "no container of the service", self.service)
        found = docker("inspect", "--format", '{{index .Config.Labels "org.tracker-backup.placement"}}', self.id)
        require(found == placement, "the container's label says", found)

    @property
    def id(self) -> str:
        """Return the container's id, empty where there is none."""
        service = f"label=com.docker.compose.service={self.service}"
        return docker("ps", "--all", "--quiet", "--filter", OURS, "--filter", service)

    def start_run(self) -> subprocess.Popen[str]:
        """Start a backup by hand in it."""
        command = ["docker", "exec", self.id, "tracker-backup", "--now", "--wait"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def programs(self) -> list[int]:
        """Return the processes of runs in it, as the host numbers them."""
        listed = docker("top", self.id, "-eo", "pid", check=False).split()[1:]
        return [int(number) for number in listed if PROGRAM.search(command_line(int(number)))]

    def up(self) -> None:
        """Let Compose start, or make, what is missing; wait until commands work in it."""
        docker("compose", "up", "--detach")
        self.wait()

    def wait(self) -> None:
        """Wait until commands work in it."""
        check = ["docker", "exec", self.id, "tracker-backup", "--version"]
        wait_until(lambda: subprocess.run(check, capture_output=True, check=False).returncode == 0, RUN_SECONDS, *check)


def command_line(process: int) -> bytes:
    """Return a process's command line, empty where it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ")
    return b""


def lock_is_free() -> bool:
    """Return whether nobody holds the repository's lock."""
    try:
        with (REPOSITORY / ".lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True  # a repository that has never been used
    except BlockingIOError:
        return False
    return True


def any_run() -> bool:
    """Return whether anybody runs a backup, in whichever container; all processes are seen from the host."""
    return any(PROGRAM.search(command_line(int(entry.name))) for entry in Path("/proc").glob("[0-9]*"))


def paused() -> set[str]:
    """Return which of the stack's services are frozen."""
    states = docker("inspect", "--format", "{{.Name}} {{.State.Paused}}", *SERVICES).splitlines()
    return {state.split()[0] for state in states if not state.endswith(" false")}


def helpers() -> list[str]:
    """Return the containers in which an orchestrator's runs are made; they go on without it."""
    return docker("ps", "--all", "--quiet", "--filter", HELPERS).split()


def watch(free_seconds: float, watched_seconds: float, what: str) -> None:
    """Watch services and lock after a kill for so long, until the lock is free and no helper is left.

    The lock has to become free once: what takes it after that is cron's next run.
    """
    begin = time.monotonic()
    frozen: dict[str, float] = {}
    freed = False
    while True:
        now = time.monotonic()
        # A helper that goes on ends its own pause in time; without one nobody would.
        frozen = {} if helpers() else {name: frozen.get(name, now) for name in paused()}
        longest = max((now - since for since in frozen.values()), default=0)
        require(longest < PAUSED_SECONDS, *frozen, "stays frozen after", what)
        freed = freed or (lock_is_free() and not helpers())
        if freed and not frozen and now - begin > watched_seconds:
            return
        require(freed or now - begin < free_seconds, "after", free_seconds, "s the lock is held after", what)
        time.sleep(0.03)


def backups() -> dict[str, str]:
    """Return the backups under final names, each with a digest of all that it holds."""
    found = {}
    for directory in sorted(REPOSITORY.iterdir()):
        if BACKUP.fullmatch(directory.name):
            digest = hashlib.sha256()
            for file in sorted(directory.rglob("*")):
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                digest.update(f"{file.relative_to(directory)}\0{content}\n".encode())
            found[directory.name] = digest.hexdigest()
    return found


def expect_whole(older: dict[str, str]) -> dict[str, str]:
    """Check that older backups are untouched, and that all hold what their manifests say; return what is there."""
    found = backups()
    changed = [name for name, digest in older.items() if found.get(name) != digest]
    require(not changed, "older backups have changed or are gone:", changed)
    for name in found:
        manifest = json.loads((REPOSITORY / name / "manifest.json").read_bytes())
        require(manifest["artifacts"], name, "holds nothing")
        for artifact in manifest["artifacts"]:
            require((REPOSITORY / name / artifact["file"]).is_file(), name, "lacks", artifact["file"])
    return found


def hidden() -> set[str]:
    """Return what lies in the repository, and in its staging, under names that no listing shows."""
    names = {entry.name for entry in REPOSITORY.iterdir() if entry.name.startswith(".")}
    return names | {str(entry.relative_to(REPOSITORY)) for entry in REPOSITORY.glob(".staging*/*")}


def quiet_time(needed: float = 60 - QUIET_UNTIL) -> None:
    """Wait until nothing is at work, and cron, which starts something every minute, starts nothing for seconds.

    No more than 45 of them, as there would be no such time.
    """
    give_up = time.monotonic() + RUN_SECONDS
    while True:
        # What cron has started may not have come as far as to its lock, or waits for it.
        idle = lock_is_free() and not helpers() and not any_run()
        if idle and CRON_SECONDS <= time.time() % 60 <= 60 - min(needed, 45):
            return
        require(time.monotonic() < give_up, "it never is quiet before anything is killed")
        time.sleep(0.3)


def finished(run: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a run; return its exit code and what it said."""
    said, _ = run.communicate(timeout=RUN_SECONDS)
    return run.returncode, said


def outside_in(container: Container, *words: str) -> tuple[int, str]:
    """Run tracker-backup in that container."""
    command = ["docker", "exec", container.id, "tracker-backup", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=RUN_SECONDS)
    return done.returncode, done.stdout + done.stderr


def at_work() -> bool:
    """Return whether a run has written something that is not published yet."""
    return any(
        file.is_file() and file.stat().st_size
        for entry in REPOSITORY.iterdir()
        if entry.is_dir() and entry.name.startswith(".")
        for file in entry.rglob("*")
    )
