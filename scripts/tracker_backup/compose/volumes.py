"""Find where volumes lie on the host, from what Docker or its directory says of them and from the Compose files."""

from __future__ import annotations

import os.path
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tracker_backup.compose.model import Mount, Project, Service, Volume
from tracker_backup.containers.inventory import StackContainer, VolumeFacts


@dataclass(frozen=True)
class Known:
    """What is known of the volumes that there are, by Docker's names.

    `directory` is where Docker keeps them. `unasked` says why Docker could not be asked, None where it was.
    """

    facts: Mapping[str, VolumeFacts]
    directory: Path
    unasked: str | None = None


@dataclass(frozen=True)
class _Place:
    host: str | None = None
    problem: str | None = None
    gone: bool = False
    unasked: bool = False


def docker_name(project: Project, mount: Mount) -> str:
    """Return the name by which Docker knows the volume of a mount, empty for an anonymous one without a container."""
    volume = project.volumes.get(mount.source)
    return volume.name if volume else mount.source


def with_volumes_of(project: Project, containers: tuple[StackContainer, ...]) -> Project:
    """Return the project with what its containers have and its files do not name.

    That are anonymous volumes, those that an image declares, and those of containers outside the stack. Of several
    containers of one service the newest counts.
    """
    newest = {each.service: each for each in sorted(containers, key=lambda each: each.created)}
    services = {
        name: _with_volumes(service, newest[name]) if name in newest else service
        for name, service in project.services.items()
    }
    return replace(project, services=services)


def _with_volumes(service: Service, container: StackContainer) -> Service:
    names = {volume.target: volume for volume in container.volumes}
    known = [
        replace(mount, source=names[mount.target].name) if _anonymous(mount) and mount.target in names else mount
        for mount in service.mounts
    ]
    targets = {mount.target for mount in known}
    more = [
        Mount("volume", volume.name, volume.target, volume.read_only)
        for volume in container.volumes
        if volume.target not in targets
    ]
    return replace(service, mounts=(*known, *more))


def _anonymous(mount: Mount) -> bool:
    return mount.kind == "volume" and not mount.source


def wanted(project: Project) -> frozenset[str]:
    """Return the names by which Docker knows the volumes that services use."""
    mounts = [mount for service in project.services.values() for mount in service.mounts if mount.kind == "volume"]
    return frozenset(name for mount in mounts if (name := docker_name(project, mount)))


def with_hosts(project: Project, known: Known) -> Project:
    """Return the project with the place of each volume on the host, or what keeps it from being known."""
    gone: dict[str, None] = {}  # an ordered set

    def located(mount: Mount) -> Mount:
        if mount.kind != "volume":
            return mount
        name = docker_name(project, mount)
        volume = project.volumes.get(mount.source) or Volume(name, name, external=True)
        place = _place(volume, known) if name else _Place(problem=_without_container(known))
        if place.gone:
            gone[name] = None
        host = os.path.normpath(Path(place.host) / mount.subpath) if place.host else None
        return replace(mount, host=host, problem=place.problem, unasked=place.unasked)

    services = _each_mount(project.services, located)
    names = f"volume{'s' if len(gone) > 1 else ''} {', '.join(gone)}"
    note = f"Docker has no {names} yet, or no more: the first start of the stack makes what is not there"
    return replace(project, services=services, notes=(*project.notes, *([note] if gone else [])))


def _each_mount(services: Mapping[str, Service], change: Callable[[Mount], Mount]) -> dict[str, Service]:
    return {
        name: replace(service, mounts=tuple(change(mount) for mount in service.mounts))
        for name, service in services.items()
    }


def _place(volume: Volume, known: Known) -> _Place:
    """Return where a volume lies; one that Docker has not made yet will lie where it makes volumes."""
    facts = known.facts.get(volume.name)
    if facts:
        return _by_options(facts.driver, facts.options, facts.mountpoint)
    expected = known.directory / volume.name / "_data"
    planned = _by_options(volume.driver, volume.options, str(expected))
    if volume.external and not known.unasked:
        return _Place(problem="Docker has no volume of that name, and Compose does not make it: see `docker volume ls`")
    if planned.host != str(expected) or not known.unasked:
        return replace(planned, gone=not known.unasked and planned.host == str(expected))
    return _Place(
        problem=f"looked for it at {expected}, which does not exist, since Docker was not asked: {known.unasked}",
        unasked=True,
    )


def _by_options(driver: str | None, options: Mapping[str, str], mountpoint: str) -> _Place:
    """Return where a volume with these options lies; what they hold besides the type is not shown."""
    if driver not in (None, "", "local"):
        return _Place(problem=f"it is kept by the driver {driver}, not in a directory of this host")
    kind, flags = options.get("type", ""), options.get("o", "").split(",")
    device = options.get("device")
    if device and ("bind" in flags or "rbind" in flags):
        if not device.startswith("/"):
            return _Place(problem="its `device` is not an absolute path, and Docker cannot mount it")
        return _Place(host=os.path.normpath(device))
    if kind == "tmpfs":
        return _Place(problem="it is a tmpfs: it is lost at a stop")
    if device:
        return _Place(problem=f"it is a file system ({kind or 'no type'}) that Docker mounts only while it is in use")
    return _Place(host=mountpoint)


def _without_container(known: Known) -> str:
    why = f"Docker was not asked: {known.unasked}" if known.unasked else "the service has no container"
    return f"it has no name, so that only a container says which one it is, and {why}"
