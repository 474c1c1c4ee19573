"""Stop the containers of a stack that use something, start them again, and wait until they are well."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker_backup.containers.docker import OWN_LABEL, RESTARTING, RUNNING, TIMEOUT_SECONDS, docker_program
from tracker_backup.errors import CommandError
from tracker_backup.system.process import find_program, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

STEADY_SECONDS = 3.0
"""A container without a health check is well when it has run for so long."""

_COMPOSE = "com.docker.compose"
_PATIENCE_SECONDS = 60
_POLL_SECONDS = 0.2
_STOP_SECONDS = 10
# Docker's own, for what an image's health check leaves open (https://docs.docker.com/reference/dockerfile/#healthcheck).
_INTERVAL_SECONDS, _PROBE_SECONDS, _RETRIES = 30.0, 30.0, 3
_FIELDS = (
    "json .ID",  # not .Id: with that name Docker would take all names from JSON, where Health may be missing
    "json .Name",
    f'json (index .Config.Labels "{_COMPOSE}.service")',
    f'json (index .Config.Labels "{_COMPOSE}.project.working_dir")',
    "json .State.Status",
    "json .State.StartedAt",
    "json .State.ExitCode",
    "with .State.Health}}{{json .Status}}{{else}}null{{end",
    "json .Config.StopTimeout",
    "json .Config.Healthcheck",
    "json .Mounts",
    "json .HostConfig.AutoRemove",
    f'json (index .Config.Labels "{OWN_LABEL}")',
)
_FORMAT = f"[{','.join(f'{{{{{each}}}}}' for each in _FIELDS)}]"


@dataclass(frozen=True)
class Bind:
    """A place of the host that a container sees at `target`."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class ServiceContainer:
    """A container of a stack.

    `health` is what its health check says (healthy, unhealthy, starting), None where it has none; `stop_seconds` is how
    long Docker waits for its end, `health_seconds` after how long its health check must have decided. One that is
    `passing` was started with `--rm`: once it is stopped it is gone;
    `ours` runs this program.
    """

    id: str
    name: str
    service: str
    state: str
    started_at: str = ""
    exit_code: int = 0
    health: str | None = None
    stop_seconds: int = _STOP_SECONDS
    health_seconds: float = 0.0
    binds: tuple[Bind, ...] = ()
    passing: bool = False
    ours: bool = False

    @property
    def at_work(self) -> bool:
        """Whether it runs, or Docker is about to run it again."""
        return self.state in (RUNNING, RESTARTING)

    @property
    def well(self) -> bool:
        """Whether nothing is known against it."""
        return self.state == RUNNING and self.health != "unhealthy"

    def sees(self, path: str) -> bool:
        """Return whether a place of the host, links resolved, is in what it has mounted."""
        return any(_inside(path, bind.source) or _holds(bind.source, path) for bind in self.binds)

    def single_mount(self, path: str) -> Bind | None:
        """Return the mount of exactly that file, None where its directory is mounted, or neither."""
        return next((bind for bind in self.binds if os.path.realpath(bind.source) == path), None)


def stack_containers(projects: Iterable[Path]) -> tuple[ServiceContainer, ...]:
    """Return the containers of the Compose projects in those directories, whatever their state, but for our own.

    There are none where Docker is not installed, or its engine does not run: whoever works without it is found by what
    he has open.

    Raises CommandError when an engine that runs does not answer, or not to us.
    """
    if find_program("docker") is None:
        return ()
    docker = docker_program()
    label = f"label={_COMPOSE}.project.working_dir"
    listed = run(
        [docker, "ps", "--all", "--quiet", "--no-trunc", "--filter", label],
        timeout_seconds=TIMEOUT_SECONDS,
        check=False,
    )
    if listed.exit_code != 0:
        if "is the docker daemon running" in listed.stderr.lower():
            return ()
        raise CommandError(
            f"docker cannot say which containers there are: {listed.stderr.strip()[:300]}",
            hint="run the same command with sudo, or look at `systemctl status docker`",
        )
    places = {os.path.realpath(project) for project in projects}
    found = _inspect(listed.stdout.split())
    return tuple(
        container for place, container in found if place and os.path.realpath(place) in places and not container.ours
    )


def containers_of(identifiers: Sequence[str]) -> tuple[ServiceContainer, ...]:
    """Return the containers of those ids that are still there.

    Raises CommandError when Docker cannot be asked.
    """
    return tuple(container for _, container in _inspect(identifiers))


def stop(identifiers: Sequence[str]) -> None:
    """Stop containers, each with its own time-out; those that are gone or stand still are no problem.

    A restart policy does not bring them back: Docker remembers that somebody has stopped them.

    Raises CommandError when one still runs afterwards.
    """
    there = containers_of(identifiers)
    if not there:
        return
    seconds = max(container.stop_seconds for container in there) + _PATIENCE_SECONDS
    # Also what stands still: a stop that somebody has asked for and did not live to see may be under way.
    said = run([docker_program(), "stop", *(container.id for container in there)], timeout_seconds=seconds, check=False)
    running = [container.name for container in containers_of(identifiers) if container.at_work]
    if running:
        raise CommandError(f"{', '.join(running)} cannot be stopped: {said.stderr.strip()[:300]}")


def start(identifiers: Sequence[str]) -> list[str]:
    """Start containers; return the names of those that run then, without those that are gone.

    Raises CommandError when Docker cannot.
    """
    there = containers_of(identifiers)
    if there:
        command = [docker_program(), "start", *(container.id for container in there)]
        run(command, timeout_seconds=TIMEOUT_SECONDS + _PATIENCE_SECONDS)
    return [container.name for container in there]


def wait_until_well(identifiers: Sequence[str], tell: Callable[[str], None]) -> list[str]:
    """Wait until containers that were just started are healthy, or without a health check have run for a while.

    Return what is wrong with the others, a sentence for each; `tell` hears what is waited for.

    Raises CommandError when Docker cannot be asked.
    """
    began = time.monotonic()
    first = {container.id: container.started_at for container in containers_of(identifiers)}
    told = False
    while True:
        waited = time.monotonic() - began
        problems, waiting = [], []
        for container in containers_of(identifiers):
            verdict = _verdict(container, first.get(container.id, ""), waited)
            if verdict is None:
                waiting.append(container.name)
            elif verdict:
                problems.append(f"{container.name} {verdict}")
        if problems or not waiting:
            return problems
        if not told:
            tell(f"waiting until {', '.join(waiting)} {'is' if len(waiting) == 1 else 'are'} healthy")
            told = True
        time.sleep(_POLL_SECONDS)


def _verdict(container: ServiceContainer, started_at: str, waited: float) -> str | None:
    """Say what is wrong with a container, the empty string for nothing, None for: not yet known."""
    if container.state == RESTARTING or container.started_at != started_at:
        return "ends and is started again and again"
    if container.state != RUNNING:
        return f"has ended, with exit code {container.exit_code}"
    if container.health is None:
        return "" if waited >= STEADY_SECONDS else None
    if container.health == "healthy":
        return ""
    if container.health == "unhealthy":
        return "is unhealthy, says its health check"
    return f"is not healthy after {waited:.0f} s" if waited > container.health_seconds else None


def _inspect(identifiers: Sequence[str]) -> list[tuple[str, ServiceContainer]]:
    """Return containers, each with the directory of its Compose project; those that are gone are left out."""
    if not identifiers:
        return []
    command = [docker_program(), "inspect", "--type", "container", "--format", _FORMAT, *identifiers]
    asked = run(command, timeout_seconds=TIMEOUT_SECONDS, check=False)
    if asked.exit_code != 0 and "no such container" not in asked.stderr.lower():
        raise CommandError(f"docker cannot say what the stack's containers do: {asked.stderr.strip()[:300]}")
    return parse_inspected(asked.stdout)


def parse_inspected(printed: str) -> list[tuple[str, ServiceContainer]]:
    """Read what docker inspect has printed, a line for each container.

    Raises CommandError when it is not what was asked for.
    """
    try:
        return [_container(*json.loads(line)) for line in printed.splitlines() if line]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CommandError(f"docker inspect printed what cannot be understood: {printed[:200]!r}") from error


def _container(  # noqa: PLR0913, PLR0917 - in the order of the format
    identifier: str,
    name: str,
    service: str | None,
    directory: str | None,
    state: str,
    started_at: str,
    exit_code: int,
    health: str | None,
    stop_timeout: int | None,
    health_check: dict[str, Any] | None,
    mounts: list[dict[str, Any]] | None,
    passing: bool,  # noqa: FBT001 - in the order of the format
    placement: str | None = None,
) -> tuple[str, ServiceContainer]:
    binds = tuple(
        Bind(mount["Source"], mount["Destination"], not mount["RW"]) for mount in mounts or [] if mount.get("Source")
    )
    return directory or "", ServiceContainer(
        id=identifier,
        name=name.removeprefix("/"),
        service=service or "",
        state=state,
        started_at=started_at,
        exit_code=exit_code,
        health=None if health in (None, "none") else health,
        stop_seconds=_STOP_SECONDS if stop_timeout is None else stop_timeout,
        health_seconds=_health_seconds(health_check or {}),
        binds=binds,
        passing=passing,
        ours=bool(placement),
    )


def _health_seconds(check: dict[str, Any]) -> float:
    """Return after how long a health check must have said healthy or unhealthy; Docker counts in nanoseconds."""
    interval = check.get("Interval", 0) / 1e9 or _INTERVAL_SECONDS
    probe = check.get("Timeout", 0) / 1e9 or _PROBE_SECONDS
    retries = check.get("Retries", 0) or _RETRIES
    return float(check.get("StartPeriod", 0) / 1e9 + (retries + 1) * (interval + probe) + _PATIENCE_SECONDS)


def _holds(directory: str, path: str) -> bool:
    """Return whether a path lies in a directory that is known by another name, as that of a volume is."""
    try:
        place = os.stat(directory)  # noqa: PTH116 - a name of any bytes
    except OSError:
        return False
    for parent in Path(path).parents:
        try:
            if os.path.samestat(parent.stat(), place):
                return True
        except OSError:
            continue  # it is not there yet
    return False


def _inside(path: str, directory: str) -> bool:
    directory = os.path.realpath(directory).rstrip("/")
    return path == directory or path.startswith(directory + "/")


def changed_files(container: ServiceContainer, path: str) -> list[str]:
    """Return what a container has in its own layer of a database at `path`, its journals and -wal.

    Raises CommandError when Docker cannot tell.
    """
    listed = run([docker_program(), "diff", container.id], timeout_seconds=TIMEOUT_SECONDS + _PATIENCE_SECONDS)
    wanted = {f"{path}{suffix}" for suffix in ("-wal", "-journal")}
    return sorted(wanted & {line[2:] for line in listed.stdout.splitlines() if line[:1] in "AC"})
