"""List the places of the host that the services of a stack see."""

from __future__ import annotations

from pathlib import Path

from tracker_backup.stack.model import Project
from tracker_backup.stack.result import HostMount


def host_mounts(project: Project) -> tuple[HostMount, ...]:
    """Return the bind mounts of all services, in the order of the Compose files. Nothing is looked up on disk."""
    return tuple(
        HostMount(
            path=Path(mount.source),
            target=mount.target,
            service=service.name,
            kind="bind",
            read_only=mount.read_only,
            image=service.image,
        )
        for service in project.services.values()
        for mount in service.mounts
        if mount.kind == "bind"
    )
