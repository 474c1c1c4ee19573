"""Follow one service from its configuration to its database on the host, and say how it was found."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tracker_backup.compose import paths
from tracker_backup.compose.model import Mount, Project, Service
from tracker_backup.compose.volumes import docker_name
from tracker_backup.errors import ConfigurationError
from tracker_backup.stack import databases, torrust
from tracker_backup.stack.endpoint import endpoint_of
from tracker_backup.stack.result import DiscoveredSource, SourceType

ReadIfThere = Callable[[Path], str | None]
SOURCES_HINT = "or name the databases under `sources:` in the configuration, which replaces discovery"


@dataclass(frozen=True)
class Finding:
    """A database of a service; `reason` says why it is not supported, where it is not."""

    source: DiscoveredSource
    reason: str | None = None  # why it is not supported
    certain: bool = True  # as torrust.Recognised has it
    by_image: bool = False


def examine(
    project: Project, service: Service, recognised: torrust.Recognised, read: ReadIfThere, notes: list[str]
) -> Finding | None:
    """Return the database of one service, or None when it has none that could be backed up; `notes` says why.

    `read` returns a host file's text, or None when there is no such file.
    Raises ConfigurationError for a configuration that cannot be read or a database that the host cannot reach.
    """
    product = recognised.product
    reference = torrust.reference(service, product)
    configuration = _configuration(service, product, reference, read)
    if configuration.note:
        notes.append(configuration.note)
    setting = databases.database_of(service, product, configuration.document, where=configuration.where)
    if setting.type in ("memory", "none"):
        what = "its database in memory" if setting.type == "memory" else "no database"
        notes.append(f"service {service.name} keeps {what} ({setting.origin}): nothing to back up")
        return None
    why = f"service {service.name} is configured by {configuration.where}"
    if configuration.where != reference.said:
        why += f" ({reference.said})"
    return _place(project, service, setting, why)


@dataclass(frozen=True)
class _Configuration:
    where: str
    document: Mapping[str, object] | None = field(default=None, repr=False)  # None: the image's own
    note: str | None = None


def _configuration(
    service: Service, product: torrust.Product, reference: torrust.Reference, read: ReadIfThere
) -> _Configuration:
    """Return the service's configuration; where there is none yet, the image brings its own."""
    if reference.inline is not None:
        where = reference.said
        return _Configuration(where, databases.parse_toml(reference.inline, where=f"service {service.name}, {where}"))
    brought = f"the defaults of the {product.label}'s image"
    place = paths.locate(reference.path, service.mounts)
    if isinstance(place, paths.NotOnHost):
        return _off_host(service, reference, place.mount) or _Configuration(brought)
    text = read(place.path)
    if text is not None:
        return _Configuration(str(place.path), databases.parse_toml(text, where=str(place.path)))
    if reference.path != product.default_toml:
        raise ConfigurationError(
            f"service {service.name}: its configuration {reference.path} ({reference.said}) is {place.path} on the "
            "host, which does not exist",
            hint=f"correct the path, {SOURCES_HINT}",
        )
    note = f"{place.path} does not exist yet: service {service.name} is taken to start with {brought}"
    return _Configuration(brought, note=note)


def _place(project: Project, service: Service, setting: databases.DatabaseSetting, why: str) -> Finding:
    """Return the finding for a setting: the file's place on the host, or why it is not supported."""
    if setting.path is None:
        return _on_server(project, service, setting, why)
    name = service.name
    why += f"; its database is the SQLite file {setting.path} ({setting.origin})"
    place = paths.locate(setting.path, service.mounts)
    if isinstance(place, paths.OnHost):
        why += f"; on the host that is {place.path}, {_through(project, place.mount)}"
        return Finding(DiscoveredSource(name, "sqlite", name, why, place.path, None, place.scope, setting.path))
    if place.mount is None or place.mount.kind == "tmpfs":
        raise _in_the_container(service, setting, place.mount)
    raise _out_of_reach(service, f"its database {setting.path} ({setting.origin})", place.mount)


def _through(project: Project, mount: Mount) -> str:
    if mount.kind == "volume":
        return f"on the volume {docker_name(project, mount)} at {mount.target}"
    return f"through the bind mount at {mount.target}"


def _on_server(project: Project, service: Service, setting: databases.DatabaseSetting, why: str) -> Finding:
    """Return the finding for a schema, with the endpoint where the settings name one."""
    kind: SourceType = "mysql" if setting.type == "mysql" else "postgresql"
    label = f"{'MySQL' if kind == 'mysql' else 'PostgreSQL'} schema {setting.schema}"
    why += f"; its database is the {label} ({setting.origin})"
    endpoint = endpoint_of(setting.address, service, project.services.values()) if setting.address else None
    if endpoint:
        server = endpoint.server_service
        where = f"the service {server}" if server else f"{endpoint.host}, which is no service of the stack"
        why += f"; its server is {where}, port {endpoint.port}"
    source = DiscoveredSource(service.name, kind, service.name, why, schema=setting.schema, endpoint=endpoint)
    if kind == "mysql" and endpoint:
        return Finding(source)
    if kind == "mysql":
        return Finding(source, f"{label}: no configuration says yet which server it is on; start the service once")
    return Finding(source, f"{label}: found, not yet supported")


def _off_host(service: Service, reference: torrust.Reference, mount: Mount | None) -> _Configuration | None:
    """Return a configuration that stands in the Compose files, None where it is the image's own."""
    if mount is None or mount.kind in ("tmpfs", "bind"):
        return None
    if mount.content is not None:
        where = f"the config {mount.target} in the Compose files"
        return _Configuration(where, databases.parse_toml(mount.content, where=f"service {service.name}, {where}"))
    raise _out_of_reach(service, f"its configuration {reference.path} ({reference.said})", mount)


def _out_of_reach(service: Service, what: str, mount: Mount) -> ConfigurationError:
    if mount.kind == "volume":
        volume = f"the volume {mount.source}" if mount.source else "an anonymous volume"
        return ConfigurationError(
            f"service {service.name}: {what} lies on {volume}, which the host cannot reach: {mount.problem}",
            hint=f"start the stack if it is not, mount a directory of the host there, {SOURCES_HINT}",
        )
    return ConfigurationError(
        f"service {service.name}: {what} is mounted at {mount.target} from what is no file of the host",
        hint=f"mount a file of the host there, {SOURCES_HINT}",
    )


def _in_the_container(service: Service, setting: databases.DatabaseSetting, mount: Mount | None) -> ConfigurationError:
    place = "is on no mount: it is lost with the container" if mount is None else "is on a tmpfs: it is lost at a stop"
    directory = posixpath.dirname(setting.path or "")
    return ConfigurationError(
        f"service {service.name}: its database {setting.path} ({setting.origin}) {place}, and the host cannot reach it",
        hint=f"mount the directory {directory} from the host, {SOURCES_HINT}",
    )
