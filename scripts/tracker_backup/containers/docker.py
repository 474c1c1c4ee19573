"""Ask Docker which containers run a service of a stack."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker_backup.errors import CommandError
from tracker_backup.system.process import require_program, run

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_SECONDS = 30
MARKER_NAME = "paused.json"
"""The file in the state directory that says what is frozen; who keeps it frozen holds a lock on it."""

OWN_LABEL = "org.tracker-backup.placement"
"""On each of our own containers; those beside the stack's own have nothing to do with its data."""

_SERVICE = "com.docker.compose.service"
_DIRECTORY = "com.docker.compose.project.working_dir"
# A line of JSON for each container: a directory's name may hold tabs, quotes, whatever.
_FORMAT = f'[{{{{json .ID}}}},{{{{json .State}}}},{{{{json .Names}}}},{{{{json (.Label "{_DIRECTORY}")}}}}]'
RUNNING, RESTARTING = "running", "restarting"


@dataclass(frozen=True)
class Container:
    """A container of a service: full id, state as Docker calls it (running, paused, exited, …), name."""

    id: str
    state: str
    name: str


def docker_program() -> str:
    """Return the path of the program docker.

    Raises CommandError where it is not installed.
    """
    return require_program("docker", hint="without it no container can be found or paused")


def service_containers(stack: Path, service: str) -> list[Container]:
    """Return the containers of a service of the stack in that directory, whatever their state.

    Raises CommandError when there is no docker program, or it cannot reach its engine.
    """
    wanted = ["--filter", f"label={_SERVICE}={service}"]
    command = [docker_program(), "ps", "--all", "--no-trunc", *wanted, "--format", _FORMAT]
    return parse_containers(run(command, timeout_seconds=TIMEOUT_SECONDS).stdout, stack)


def parse_containers(listed: str, stack: Path) -> list[Container]:
    """Read docker's list; a service of that name in another directory's stack is not ours.

    Raises CommandError when it is not what was asked for.
    """
    found = []
    try:
        for line in listed.splitlines():
            identifier, state, name, directory = json.loads(line)
            if directory and os.path.realpath(directory) == os.path.realpath(stack):
                found.append(Container(identifier, state, name))
    except (ValueError, TypeError) as error:
        raise CommandError(f"docker ps printed what cannot be understood: {listed[:200]!r}") from error
    return found


def container_state(identifier: str) -> str | None:
    """Return a container's state as Docker calls it, None where it has been removed.

    Raises CommandError when Docker cannot be asked.
    """
    command = [docker_program(), "inspect", "--type", "container", "--format", "{{.State.Status}}", identifier]
    asked = run(command, timeout_seconds=TIMEOUT_SECONDS, check=False)
    if asked.exit_code == 0:
        return asked.stdout.strip()
    if "no such container" in asked.stderr.lower():
        return None
    raise CommandError(f"docker cannot say what container {identifier[:12]} does: {asked.stderr.strip()[:300]}")


def unpause(identifier: str) -> None:
    """Thaw a container.

    Raises CommandError when Docker cannot.
    """
    run([docker_program(), "unpause", identifier], timeout_seconds=TIMEOUT_SECONDS)
