"""How a stack was deployed: the Compose project, and what each of its services runs; written into manifests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker_backup.compose.deployment import deployment_of
from tracker_backup.containers.command import ComposeProject
from tracker_backup.containers.inventory import DockerInventory
from tracker_backup.containers.standing import standing_of
from tracker_backup.errors import CommandError, RestoreError
from tracker_backup.run.stackfiles import is_ours

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tracker_backup.containers.standing import Standing

LEAVING_NAME = "leaving.json"
"""The file in the state directory that says what has been stopped for a move."""


@dataclass(frozen=True)
class ServiceImage:
    """A service as it was deployed: its image by name, id and digests, and whether it ran."""

    service: str
    running: bool
    image: str
    image_id: str
    digests: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deployed:
    """A project with its services, a container of each."""

    project: ComposeProject
    services: tuple[ServiceImage, ...]

    @property
    def running(self) -> tuple[str, ...]:
        """The services that ran."""
        return tuple(sorted({each.service for each in self.services if each.running}))

    def to_json(self) -> dict[str, Any]:
        """Return it as it stands in a manifest."""
        services = {
            each.service: {
                "running": each.running,
                "image": each.image,
                "image_id": each.image_id,
                "digests": list(each.digests),
            }
            for each in self.services
        }
        return {
            "project": self.project.name,
            "directory": str(self.project.directory),
            "files": [str(path) for path in self.project.files],
            "env_files": [str(path) for path in self.project.env_files],
            "services": services,
        }


def deployed_in(directory: Path, ran: Collection[str] = ()) -> Deployed | None:
    """Return how the stack in a directory was deployed, None where it has no containers.

    `ran` are services that have been stopped for a move only: they count as running.
    Raises CommandError when Docker cannot be asked.
    """
    found = deployment_of(directory, DockerInventory().containers())
    if found is None:
        return None
    theirs = tuple(file for file in found.files if not is_ours(file))  # which no backup of the stack's files has
    project = ComposeProject(found.project, directory, theirs, found.env_files)
    standing = [each for each in standing_of(directory) if each.project == found.project]
    return Deployed(project, tuple(_service_image(each, ran) for each in _one_of_each(standing)))


def deployment_facts(directory: Path, state_directory: Path) -> dict[str, Any]:
    """Return what a manifest says of how the stack was deployed: nothing where Docker cannot be asked.

    What a move has stopped counts as running: it is what is to run on the other host.
    """
    try:
        found = deployed_in(directory, ran_before_move(state_directory))
    except CommandError:
        return {}
    return {} if found is None else found.to_json()


def ran_before_move(state_directory: Path) -> tuple[str, ...]:
    """Return the services that have been stopped on this host for a move; none where there is no note of one."""
    try:
        noted = json.loads((state_directory / LEAVING_NAME).read_bytes())
        return tuple(map(str, noted["ran"]))
    except (OSError, ValueError, TypeError, KeyError):
        return ()


def parse_deployed(document: Mapping[str, Any]) -> Deployed:
    """Read what :meth:`Deployed.to_json` wrote.

    Raises RestoreError where it is not that; an empty one says that nothing was known.
    """
    try:
        project = ComposeProject(
            str(document["project"]),
            Path(document["directory"]),
            tuple(map(Path, document["files"])),
            tuple(map(Path, document["env_files"])),
        )
        services = tuple(
            ServiceImage(
                name,
                item["running"] is True,
                str(item["image"]),
                str(item["image_id"]),
                tuple(map(str, item["digests"])),
            )
            for name, item in document["services"].items()
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise RestoreError(f"how the stack was deployed cannot be read: {error!r}") from error
    return Deployed(project, services)


def _one_of_each(standing: list[Standing]) -> list[Standing]:
    """Return a container of each service, one that runs where there is one."""
    chosen: dict[str, Standing] = {}
    for each in standing:
        if each.service not in chosen or (each.at_work and not chosen[each.service].at_work):
            chosen[each.service] = each
    return list(chosen.values())


def _service_image(standing: Standing, ran: Collection[str]) -> ServiceImage:
    runs = standing.at_work or standing.service in ran
    return ServiceImage(standing.service, runs, standing.image, standing.image_id, standing.digests)
