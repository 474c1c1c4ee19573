"""What a move does to the containers of a stack: restart policies, Compose, and waiting until they are well."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.containers import services
from tracker_backup.containers.docker import docker_program
from tracker_backup.containers.standing import standing_of
from tracker_backup.errors import CommandError
from tracker_backup.system.process import run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


START_SECONDS = 300
COMPOSE_SECONDS = 900


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


def set_restart_policy(identifier: str, policy: str) -> None:
    """Say whether a container comes back by itself, at a boot for example.

    Raises CommandError when Docker cannot.
    """
    run([docker_program(), "update", f"--restart={policy}", identifier], timeout_seconds=START_SECONDS)


def compose_up(project: ComposeProject, wanted: Sequence[str]) -> None:
    """Make and start those services and no others, from images that are there.

    Raises CommandError with what Compose said.
    """
    command = [docker_program(), "compose", *project.arguments(), "up", "--detach", "--no-deps", "--no-build"]
    run([*command, "--pull", "never", *wanted], timeout_seconds=COMPOSE_SECONDS)


def require_well(stack: Path, wanted: Sequence[str], note: Callable[[str], None]) -> None:
    """Wait until all containers of those services, just started, are well.

    Raises CommandError with those that are not.
    """
    standing = [each for each in standing_of(stack) if each.service in wanted]
    missing = sorted(set(wanted) - {each.service for each in standing})
    problems = [f"{service} has no container" for service in missing]
    problems += services.wait_until_well([each.container for each in standing], note)
    if problems:
        raise CommandError(
            f"not well after they were started: {', '.join(problems)}",
            hint=f"look at: docker compose --project-directory {stack} logs",
        )
