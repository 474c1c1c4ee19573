"""Ask Docker what it knows of stacks: their containers with labels and mounts, and where volumes lie on the host."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracker_backup.containers.docker import docker_program
from tracker_backup.errors import CommandError
from tracker_backup.system.process import run

TIMEOUT_SECONDS = 15
"""Discovery goes on without an engine that says nothing for so long."""

_COMPOSE = "com.docker.compose"
_LABELS = ("project", "service", "project.working_dir", "project.config_files", "project.environment_file", "oneoff")
# Single labels: all of a container's labels and variables would bring passwords along.
_FIELDS = ("json .Created", *(f'json (index .Config.Labels "{_COMPOSE}.{label}")' for label in _LABELS), "json .Mounts")
_CONTAINER_FORMAT = f"[{','.join(f'{{{{{each}}}}}' for each in _FIELDS)}]"
_VOLUME_FORMAT = "[{{json .Name}},{{json .Driver}},{{json .Mountpoint}},{{json .Options}}]"


@dataclass(frozen=True)
class ContainerMount:
    """A volume in a container, at `target`; `name` is Docker's."""

    name: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class StackContainer:
    """A container that Compose made: where it was started, from which files (as its labels have them), its volumes."""

    project: str
    service: str
    directory: str
    config_files: str = ""
    env_files: str = ""
    created: str = ""
    one_off: bool = False
    volumes: tuple[ContainerMount, ...] = ()


@dataclass(frozen=True)
class VolumeFacts:
    """A volume: its driver, the directory of the host where it is, or appears while it is in use, its options."""

    name: str
    driver: str
    mountpoint: str
    options: dict[str, str] = field(default_factory=dict, repr=False)


class DockerInventory:
    """What the engine says that the program docker reaches."""

    def containers(self) -> tuple[StackContainer, ...]:
        """Return all containers of the host that Compose made, whatever their state.

        Raises CommandError when there is no docker program, or it cannot reach its engine.
        """
        docker = docker_program()
        label = f"label={_COMPOSE}.project.working_dir"
        listed = run(
            [docker, "ps", "--all", "--quiet", "--no-trunc", "--filter", label], timeout_seconds=TIMEOUT_SECONDS
        )
        ids = listed.stdout.split()
        if not ids:
            return ()
        command = [docker, "inspect", "--type", "container", "--format", _CONTAINER_FORMAT, *ids]
        # Without check: one that has been removed in between is none.
        return parse_containers(run(command, timeout_seconds=TIMEOUT_SECONDS, check=False).stdout)

    def volumes(self, names: Iterable[str]) -> dict[str, VolumeFacts]:
        """Return those of the volumes that there are, by name.

        Raises CommandError when Docker cannot be asked.
        """
        wanted = sorted(set(names))
        if not wanted:
            return {}
        command = [docker_program(), "volume", "inspect", "--format", _VOLUME_FORMAT, *wanted]
        asked = run(command, timeout_seconds=TIMEOUT_SECONDS, check=False)
        found = parse_volumes(asked.stdout)
        if asked.exit_code != 0 and "no such volume" not in asked.stderr.lower():
            raise CommandError(f"docker cannot say where the volumes are: {asked.stderr.strip()[:300]}")
        return found

    def volumes_directory(self) -> Path:
        """Return the directory below which the engine keeps volumes.

        Raises CommandError when Docker cannot be asked.
        """
        asked = run([docker_program(), "info", "--format", "{{.DockerRootDir}}"], timeout_seconds=TIMEOUT_SECONDS)
        return Path(asked.stdout.strip()) / "volumes"


def parse_containers(listed: str) -> tuple[StackContainer, ...]:
    """Read what `docker inspect` printed, a line for each container.

    Raises CommandError when it is not what was asked for.
    """
    try:
        return tuple(_container(*json.loads(line)) for line in listed.splitlines())
    except (ValueError, TypeError, KeyError, AttributeError):
        raise CommandError("docker inspect printed what cannot be understood") from None


def _container(  # noqa: PLR0913, PLR0917 - in the order of the format
    created: str,
    project: str,
    service: str,
    directory: str,
    config_files: str | None,
    env_files: str | None,
    one_off: str | None,
    mounts: list[dict[str, Any]] | None,
) -> StackContainer:
    volumes = tuple(
        ContainerMount(mount["Name"], mount["Destination"], not mount["RW"])
        for mount in mounts or []
        if mount["Type"] == "volume"
    )
    return StackContainer(
        project or "",
        service or "",
        directory or "",
        config_files or "",
        env_files or "",
        created,
        (one_off or "").lower() == "true",
        volumes,
    )


def parse_volumes(listed: str) -> dict[str, VolumeFacts]:
    """Read what `docker volume inspect` printed, a line for each volume.

    Raises CommandError when it is not what was asked for.
    """
    try:
        rows = [json.loads(line) for line in listed.splitlines()]
        return {
            name: VolumeFacts(name, driver, mountpoint, options or {}) for name, driver, mountpoint, options in rows
        }
    except (ValueError, TypeError):
        raise CommandError("docker volume inspect printed what cannot be understood") from None
