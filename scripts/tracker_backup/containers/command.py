"""What is done to the containers of a stack: stop and start them, change restart policies, make them with Compose."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.containers.docker import RUNNING, docker_program
from tracker_backup.containers.standing import standing_of
from tracker_backup.errors import CommandError
from tracker_backup.system.process import run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker_backup.containers.standing import Standing

STOP_SECONDS = 900
"""A database server may take its time; what Compose says of a service's patience, Docker knows."""

START_SECONDS = 300
COMPOSE_SECONDS = 900
_POLL_SECONDS = 1.0
_UNHEALTHY = "unhealthy"


@dataclass(frozen=True)
class ComposeProject:
    """What Compose has to be told so that it means the same project: name, directory, files, environment files."""

    name: str
    directory: Path
    files: tuple[Path, ...] = ()
    env_files: tuple[Path, ...] = ()

    def arguments(self) -> list[str]:
        """Return the options of `docker compose` for it."""
        named = ["--project-name", self.name] if self.name else []
        named += ["--project-directory", str(self.directory)]
        files = [word for path in self.files for word in ("--file", str(path))]
        return [*named, *files, *(word for path in self.env_files for word in ("--env-file", str(path)))]


def stop_containers(containers: Sequence[Standing]) -> None:
    """Stop containers, each with the patience that its service asks for.

    Raises CommandError when Docker cannot.
    """
    if containers:
        run([docker_program(), "stop", *(each.container for each in containers)], timeout_seconds=STOP_SECONDS)


def start_containers(identifiers: Sequence[str]) -> None:
    """Start containers that are there.

    Raises CommandError when Docker cannot.
    """
    if identifiers:
        run([docker_program(), "start", *identifiers], timeout_seconds=START_SECONDS)


def set_restart_policy(identifier: str, policy: str) -> None:
    """Say whether a container comes back by itself, at a boot for example.

    Raises CommandError when Docker cannot.
    """
    run([docker_program(), "update", f"--restart={policy}", identifier], timeout_seconds=START_SECONDS)


def compose_up(project: ComposeProject, services: Sequence[str]) -> None:
    """Make and start those services and no others, from images that are there.

    Raises CommandError with what Compose said.
    """
    command = [docker_program(), "compose", *project.arguments(), "up", "--detach", "--no-deps", "--no-build"]
    run([*command, "--pull", "never", *services], timeout_seconds=COMPOSE_SECONDS)


def wait_until_well(stack: Path, services: Sequence[str], seconds: float, note: Callable[[str], None]) -> None:
    """Wait until all containers of those services run, and are healthy where they have a health check.

    Raises CommandError with those that do not, after `seconds` or as soon as Docker has given one up.
    """
    give_up = time.monotonic() + seconds
    said = ""
    while True:
        standing = [each for each in standing_of(stack) if each.service in services]
        missing = sorted(set(services) - {each.service for each in standing})
        waiting = [each for each in standing if not _is_well(each)]
        if not waiting and not missing:
            return
        words = ", ".join([*missing, *(f"{each.service} ({each.health or each.state})" for each in waiting)])
        if any(each.health == _UNHEALTHY for each in waiting) or time.monotonic() > give_up:
            names = " ".join(each.service for each in waiting) or " ".join(missing)
            raise CommandError(
                f"not well after they were started: {words}",
                hint=f"look at: docker compose --project-directory {stack} logs {names}",
            )
        if words != said:
            note(f"waiting for {words}")
            said = words
        time.sleep(_POLL_SECONDS)


def _is_well(standing: Standing) -> bool:
    return standing.state == RUNNING and standing.health in ("", "healthy")
