"""Tell from the labels of a stack's containers how it was started: which files, which .env, which project's name."""

from __future__ import annotations

import os.path
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tracker_backup.containers.inventory import StackContainer


@dataclass(frozen=True)
class Deployment:
    """How the newest of a stack's containers was made; `services` are those that have containers, made when."""

    project: str
    files: tuple[Path, ...]
    env_files: tuple[Path, ...]
    containers: tuple[StackContainer, ...]

    @property
    def services(self) -> frozenset[str]:
        """The services that have a container, whether it runs or not."""
        return frozenset(container.service for container in self.containers)


def deployment_of(directory: Path, containers: Iterable[StackContainer]) -> Deployment | None:
    """Return how the stack in a directory was started, None where it has no containers.

    A directory is the same by whatever links it is reached. What one-off commands have left behind does not count.
    """
    place = os.path.realpath(directory)
    ours = [
        container
        for container in containers
        if container.directory and not container.one_off and os.path.realpath(container.directory) == place
    ]
    if not ours:
        return None
    newest = max(ours, key=lambda container: container.created)
    same = tuple(container for container in ours if container.project == newest.project)
    return Deployment(newest.project, _paths(newest.config_files, directory), _paths(newest.env_files, directory), same)


def _paths(listed: str, directory: Path) -> tuple[Path, ...]:
    names = [name for name in listed.split(",") if name]
    return tuple(Path(os.path.normpath(directory / name)) for name in names)
