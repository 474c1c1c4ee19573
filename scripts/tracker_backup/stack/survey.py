"""Read a stack with what Docker knows of it: how it was started, and where its volumes are; without Docker less."""

from __future__ import annotations

import os.path
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from tracker_backup.compose import reading
from tracker_backup.compose.deployment import deployment_of
from tracker_backup.compose.model import Project
from tracker_backup.compose.project import load_project
from tracker_backup.compose.volumes import Known, wanted, with_hosts, with_volumes_of
from tracker_backup.containers.inventory import DockerInventory, StackContainer, VolumeFacts
from tracker_backup.errors import CommandError
from tracker_backup.system.container import PLACEMENT_VARIABLE


class Inventory(Protocol):
    """What is asked of Docker; each raises CommandError when it does not answer."""

    def containers(self) -> tuple[StackContainer, ...]:
        """Return the containers that Compose made."""

    def volumes(self, names: Iterable[str]) -> dict[str, VolumeFacts]:
        """Return those of the volumes that there are, by name."""

    def volumes_directory(self) -> Path:
        """Return where volumes are kept."""


def survey(directory: Path, docker: Inventory | None = None) -> Project:
    """Return the project of a stack's directory, with its volumes' places on the host.

    Raises ConfigurationError when the stack cannot be read or understood.
    """
    return _without_ours(_surveyed(Path(os.path.abspath(directory)), docker))  # noqa: PTH100 - by text: a link is left alone


def _without_ours(project: Project) -> Project:
    """Leave out our own containers: what they see is the stack's already, or no part of it."""
    others = {name: each for name, each in project.services.items() if PLACEMENT_VARIABLE not in each.variables}
    return replace(project, services=others)


def _surveyed(place: Path, docker: Inventory | None) -> Project:
    docker = docker or DockerInventory()
    unasked: str | None = None
    containers: tuple[StackContainer, ...] = ()
    try:
        containers = docker.containers()
    except CommandError as error:
        unasked = error.message
    deployment = deployment_of(place, containers)
    project = load_project(place, deployment)
    # With a COMPOSE_FILE elsewhere the containers name that other directory.
    deployment = deployment or deployment_of(project.directory, containers)
    if deployment:
        started = with_volumes_of(project, deployment.containers)
        project = replace(started, started=deployment.services)
    return _located(project, docker, unasked)


def _located(project: Project, docker: Inventory, unasked: str | None) -> Project:
    """Return the project with the places of its volumes, from Docker or else from where it keeps them."""
    if not any(mount.kind == "volume" for service in project.services.values() for mount in service.mounts):
        return project
    names = wanted(project)
    if unasked is None:
        try:
            return with_hosts(project, Known(docker.volumes(names), docker.volumes_directory()))
        except CommandError as error:
            unasked = error.message
    kept = reading.volumes_directory()
    found = {name: facts for name in names if (facts := reading.volume_on_disk(kept, name))}
    return with_hosts(project, Known(found, kept, unasked))
