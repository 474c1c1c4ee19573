"""Find the databases of a stack: its directory in, sources with explanations out."""

from __future__ import annotations

import os.path
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tracker_backup.errors import ConfigurationError
from tracker_backup.stack import paths, reading, torrust
from tracker_backup.stack.compose import load_project
from tracker_backup.stack.hostmounts import host_mounts
from tracker_backup.stack.model import Mount, Project, Service
from tracker_backup.stack.result import DiscoveredSource, Discovery, HostMount, SourceType, Unsupported

__all__ = ["DiscoveredSource", "Discovery", "HostMount", "Unsupported", "discover", "find_databases", "find_mounts"]

ReadIfThere = Callable[[Path], str | None]
RESERVED_NAMES = frozenset({"files"})
"""Names that no database may have: `files` is the rest of the stack."""
_LONGEST_NAME = 32
_SOURCES_HINT = "or name the databases under `sources:` in the configuration, which replaces discovery"


@dataclass(frozen=True)
class _Finding:
    source: DiscoveredSource
    reason: str | None = None  # why it is not supported
    certain: bool = True  # as torrust.Recognised has it


def discover(stack_directory: Path) -> Discovery:
    """Return the databases that the stack's own files name. Whether they exist is not looked at.

    Raises ConfigurationError when no database is found, or when something in the stack cannot be read or understood.
    """
    return find_databases(_load(stack_directory), reading.read_text_if_there)


def find_mounts(stack_directory: Path) -> tuple[HostMount, ...]:
    """Return what of the host the stack's services see, also where the stack has no database.

    Raises ConfigurationError when the stack's Compose files cannot be read or understood.
    """
    return host_mounts(_load(stack_directory))


def _load(stack_directory: Path) -> Project:
    return load_project(Path(os.path.abspath(stack_directory)))  # noqa: PTH100 - by text, links are left alone


def find_databases(project: Project, read: ReadIfThere) -> Discovery:
    """Return the databases of a project; `read` returns a host file's text, or None when there is no such file.

    Raises ConfigurationError with all that is wrong with the services.
    """
    notes, errors, findings = list(project.notes), list[ConfigurationError](), list[_Finding]()
    services = [(service, torrust.recognise(service)) for service in project.services.values()]
    present = {recognised.product.label for _, recognised in services if recognised and recognised.certain}
    for service, recognised in services:
        if recognised is None:
            continue
        if _unreached(service, recognised):
            if recognised.product.label not in present:
                notes.append(_passed_over(service, recognised))
            continue
        try:
            finding = _examine(service, recognised, read, notes)
        except ConfigurationError as error:
            if recognised.certain:
                errors.append(error)
            else:
                notes.append(f"service {service.name} was passed over: {error.message}")
        else:
            findings += [replace(finding, certain=recognised.certain)] if finding else []
    if errors:
        raise _all_in_one(errors)
    kept = _without_repeats(findings, notes)
    if not kept:
        raise _nothing_found(project, notes)
    return _discovery(project, kept, notes)


def _unreached(service: Service, recognised: torrust.Recognised) -> bool:
    """Tell whether the service only shares an env_file with a tracker or index: no configuration reaches it."""
    reference = torrust.reference(service, recognised.product)
    missed = reference.inline is None and paths.locate(reference.path, service.mounts) == paths.NotOnHost(None)
    return missed and not recognised.certain


def _passed_over(service: Service, recognised: torrust.Recognised) -> str:
    return (
        f"service {service.name} has variables of a Torrust {recognised.product.label} from an env_file, but neither "
        "its image nor a mount of configuration or data: passed over"
    )


def _examine(service: Service, recognised: torrust.Recognised, read: ReadIfThere, notes: list[str]) -> _Finding | None:
    """Return the database of one service, or None when it has none that could be backed up."""
    product = recognised.product
    reference = torrust.reference(service, product)
    place = paths.locate(reference.path, service.mounts)
    if reference.inline is None and isinstance(place, paths.NotOnHost) and place.mount and place.mount.kind == "volume":
        return _configuration_on_volume(service, reference, place.mount)
    configuration = _configuration(service, product, reference, read)
    if configuration.note:
        notes.append(configuration.note)
    setting = torrust.database_of(service, product, configuration.document, where=configuration.where)
    if setting.type == "memory":
        notes.append(f"service {service.name} keeps its database in memory ({setting.origin}): nothing to back up")
        return None
    why = f"service {service.name} is configured by {configuration.where}"
    if configuration.where != reference.said:
        why += f" ({reference.said})"
    return _place(service, setting, why)


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
        return _Configuration(where, torrust.parse_toml(reference.inline, where=f"service {service.name}, {where}"))
    brought = f"the defaults of the {product.label}'s image"
    place = paths.locate(reference.path, service.mounts)
    if isinstance(place, paths.NotOnHost):
        return _Configuration(brought)
    text = read(place.path)
    if text is not None:
        return _Configuration(str(place.path), torrust.parse_toml(text, where=str(place.path)))
    if reference.path != product.default_toml:
        raise ConfigurationError(
            f"service {service.name}: its configuration {reference.path} ({reference.said}) is {place.path} on the "
            "host, which does not exist",
            hint=f"correct the path, {_SOURCES_HINT}",
        )
    note = f"{place.path} does not exist yet: service {service.name} is taken to start with {brought}"
    return _Configuration(brought, note=note)


def _place(service: Service, setting: torrust.DatabaseSetting, why: str) -> _Finding:
    """Return the finding for a setting: the file's place on the host, or why it is not supported."""
    name = service.name
    if setting.path is None:
        kind: SourceType = "mysql" if setting.type == "mysql" else "postgresql"
        label = f"{'MySQL' if kind == 'mysql' else 'PostgreSQL'} schema {setting.schema}"
        why += f"; its database is the {label} ({setting.origin})"
        source = DiscoveredSource(name, kind, name, why, schema=setting.schema)
        return _Finding(source, f"{label}: found, not yet supported")
    why += f"; its database is the SQLite file {setting.path} ({setting.origin})"
    place = paths.locate(setting.path, service.mounts)
    if isinstance(place, paths.OnHost):
        why += f"; on the host that is {place.path}, through the bind mount at {place.mount.target}"
        return _Finding(DiscoveredSource(name, "sqlite", name, why, place.path, None, place.scope, setting.path))
    if place.mount is None or place.mount.kind == "tmpfs":
        raise _in_the_container(service, setting, place.mount)
    source = DiscoveredSource(name, "sqlite", name, why, container_path=setting.path)
    return _Finding(source, _on_volume(f"its database {setting.path}", place.mount))


def _configuration_on_volume(service: Service, reference: torrust.Reference, mount: Mount) -> _Finding:
    why = f"service {service.name} is configured by {reference.path} ({reference.said})"
    source = DiscoveredSource(service.name, "sqlite", service.name, why)
    return _Finding(source, _on_volume(f"its configuration {reference.path}", mount))


def _on_volume(what: str, mount: Mount) -> str:
    volume = f"the named volume {mount.source}" if mount.source else "an anonymous volume"
    return f"{what} lies on {volume}: found, not yet supported; mount a directory of the host there, {_SOURCES_HINT}"


def _in_the_container(service: Service, setting: torrust.DatabaseSetting, mount: Mount | None) -> ConfigurationError:
    place = "is on no mount: it is lost with the container" if mount is None else "is on a tmpfs: it is lost at a stop"
    directory = posixpath.dirname(setting.path or "")
    return ConfigurationError(
        f"service {service.name}: its database {setting.path} ({setting.origin}) {place}, and the host cannot reach it",
        hint=f"mount the directory {directory} from the host, {_SOURCES_HINT}",
    )


def _all_in_one(errors: list[ConfigurationError]) -> ConfigurationError:
    if len(errors) == 1:
        return errors[0]
    return ConfigurationError("\n".join(["several things in the stack are wrong:", *map(str, errors)]))


def _without_repeats(findings: list[_Finding], notes: list[str]) -> list[_Finding]:
    """Return each database once, in the order found; of services that name the same one, the first certain one's."""
    kept: list[_Finding] = []
    for finding in sorted(findings, key=lambda finding: not finding.certain):
        first = next((other for other in kept if _same(other, finding)), None)
        if first is None:
            kept.append(finding)
        else:
            notes.append(f"services {first.source.service} and {finding.source.service} name the same database")
    return [finding for finding in findings if finding in kept]


def _same(first: _Finding, other: _Finding) -> bool:
    one, two = first.source, other.source
    if one.path or two.path:
        return one.path == two.path
    # Two servers may have schemas of one name; what a shared env_file repeats is the same.
    return not other.certain and (one.type, one.schema) == (two.type, two.schema)


def _discovery(project: Project, findings: list[_Finding], notes: list[str]) -> Discovery:
    taken = set(RESERVED_NAMES)
    sources, unsupported = list[DiscoveredSource](), list[Unsupported]()
    for finding in findings:
        source = replace(finding.source, name=_free_name(finding.source.service, taken))
        taken.add(source.name)
        if finding.reason is None:
            sources.append(source)
        else:
            unsupported.append(Unsupported(source, finding.reason))
    images = {name: service.image for name, service in project.services.items() if service.image}
    return Discovery(
        sources=tuple(sources),
        unsupported=tuple(unsupported),
        notes=tuple(notes),
        project=project.name,
        files=project.files,
        images=images,
        mounts=host_mounts(project),
    )


def _free_name(service: str, taken: set[str]) -> str:
    """Return a source name for the service: small letters, digits, hyphens, at most 32, with -2 and so on if taken."""
    base = re.sub(r"[^a-z0-9]+", "-", service.lower()).strip("-") or "database"
    name, number = base[:_LONGEST_NAME], 1
    while name in taken:
        number += 1
        suffix = f"-{number}"
        name = base[: _LONGEST_NAME - len(suffix)] + suffix
    return name


def _nothing_found(project: Project, notes: list[str]) -> ConfigurationError:
    files = ", ".join(file.name for file in project.files)
    services = ", ".join(
        f"{name} ({service.image})" if service.image else name for name, service in project.services.items()
    )
    lines = [
        f"no database found in the stack {project.directory}",
        f"  looked at {files} and .env; the services are {services}",
        "  none of them has the configuration of a Torrust tracker or index with a database",
        *(f"  note: {note}" for note in notes),
    ]
    return ConfigurationError(
        "\n".join(lines), hint=f"let `stack:` name the tracker's Compose project, {_SOURCES_HINT}"
    )
