"""List the places of the host that the services of a stack see."""

from __future__ import annotations

from pathlib import Path

from tracker_backup.compose.model import Project
from tracker_backup.compose.volumes import docker_name
from tracker_backup.stack.result import Belongings, HostMount, UnreachedVolume


def belongings(project: Project) -> Belongings:
    """Return what of the host belongs to a project. Nothing is looked up."""
    return Belongings(project.files, project.env_files, host_mounts(project), unreached_volumes(project))


def unreached_volumes(project: Project) -> tuple[UnreachedVolume, ...]:
    """Return the volumes of all services whose place on the host is not known, anonymous ones among them."""
    mounts = [(service, mount) for service in project.services.values() for mount in service.mounts]
    return tuple(
        UnreachedVolume(
            docker_name(project, mount) or None,
            mount.target,
            service.name,
            mount.problem or "not known",
            unasked=mount.unasked,
        )
        for service, mount in mounts
        if mount.kind == "volume" and not mount.host
    )


def host_mounts(project: Project) -> tuple[HostMount, ...]:
    """Return the bind mounts and volumes of all services, in the order of the Compose files. Nothing is looked up.

    A volume whose place on the host is not known is not among them.
    """
    mounts = [(service, mount) for service in project.services.values() for mount in service.mounts]
    return tuple(
        HostMount(
            path=Path(host),
            target=mount.target,
            service=service.name,
            kind="volume" if mount.kind == "volume" else "bind",
            volume=docker_name(project, mount) if mount.kind == "volume" else None,
            read_only=mount.read_only,
            image=service.image,
        )
        for service, mount in mounts
        if (host := mount.source if mount.kind == "bind" else mount.host)
    )
