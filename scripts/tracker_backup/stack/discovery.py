"""Find the databases of a stack: its directory in, sources with explanations out."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from tracker_backup.compose import paths, reading
from tracker_backup.compose.model import Project, Service
from tracker_backup.errors import ConfigurationError
from tracker_backup.stack import torrust
from tracker_backup.stack.endpoint import Endpoint
from tracker_backup.stack.examination import SOURCES_HINT, Finding, ReadIfThere, examine
from tracker_backup.stack.hostmounts import belongings, host_mounts
from tracker_backup.stack.result import Belongings, DiscoveredSource, Discovery, HostMount, Unsupported
from tracker_backup.stack.survey import survey

__all__ = [
    "Belongings",
    "DiscoveredSource",
    "Discovery",
    "HostMount",
    "Unsupported",
    "discover",
    "find_belongings",
    "find_databases",
    "find_environment",
    "find_mounts",
]

RESERVED_NAMES = frozenset({"files"})
"""Names that no database may have: `files` is the rest of the stack."""
_LONGEST_NAME = 32
_SERVER_IMAGE = re.compile(r"(?:^|/)(?:mysql(?:-server)?|mariadb|percona(?:-server)?|postgres(?:ql)?)(?=[:@]|$)")


def discover(stack_directory: Path) -> Discovery:
    """Return the databases that the stack's own files name. Whether they exist is not looked at.

    Raises ConfigurationError when no database is found, or when something in the stack cannot be read or understood.
    """
    return find_databases(survey(stack_directory), reading.read_text_if_there)


def find_mounts(stack_directory: Path) -> tuple[HostMount, ...]:
    """Return what of the host the stack's services see, also where the stack has no database.

    Raises ConfigurationError when the stack's Compose files cannot be read or understood.
    """
    return host_mounts(survey(stack_directory))


def find_belongings(stack_directory: Path) -> Belongings:
    """Return what of the host belongs to a stack, also where it has no database.

    Raises ConfigurationError when the stack's Compose files cannot be read or understood.
    """
    return belongings(survey(stack_directory))


def find_environment(stack_directory: Path, service: str) -> dict[str, str]:
    """Return the variables of a service's containers, as the Compose files make them; there are secrets among them.

    Raises ConfigurationError when the stack's Compose files cannot be read, or have no such service.
    """
    project = survey(stack_directory)
    if service not in project.services:
        raise ConfigurationError(f"the stack {project.directory} has no service {service}")
    return project.services[service].environment


def find_databases(project: Project, read: ReadIfThere) -> Discovery:
    """Return the databases of a project; `read` returns a host file's text, or None when there is no such file.

    Raises ConfigurationError with all that is wrong with the services.
    """
    notes, errors, findings = list(project.notes), list[ConfigurationError](), list[Finding]()
    for service, recognised in _candidates(project, notes):
        try:
            finding = examine(project, service, recognised, read, notes)
        except ConfigurationError as error:
            if recognised.certain:
                errors.append(error)
            else:
                notes.append(f"service {service.name} was passed over: {error.message}")
        else:
            if finding:
                findings.append(replace(finding, certain=recognised.certain, by_image=recognised.by_image))
    if errors:
        raise _all_in_one(errors)
    notes += _unused_servers(project, findings)
    kept = _without_repeats(findings, notes)
    if not kept:
        raise _nothing_found(project, notes)
    return _discovery(project, kept, notes)


def _candidates(project: Project, notes: list[str]) -> list[tuple[Service, torrust.Recognised]]:
    """Return the services that are looked into; `notes` says why others that look like one are not."""
    services = [(service, torrust.recognise(service)) for service in project.services.values()]
    known = [(service, recognised) for service, recognised in services if recognised]
    present = {recognised.product.label for _, recognised in known if recognised.certain}
    candidates = []
    for service, recognised in known:
        used = _in_use(project, service)
        if used is False:
            profiles = ", ".join(service.profiles)
            notes.append(f"service {service.name} is in no profile that is enabled ({profiles}): passed over")
        elif not _unreached(service, recognised):
            candidates.append((service, recognised if used else replace(recognised, certain=False)))
        elif recognised.product.label not in present:
            notes.append(_passed_over(service, recognised))
    return candidates


def _in_use(project: Project, service: Service) -> bool | None:
    """Tell whether the service is used: enabled by a profile, or there is a container; None where nothing says so."""
    enabled = project.profiles or ()
    if not service.profiles or "*" in enabled or set(enabled) & set(service.profiles):
        return True
    if project.started is None:
        return None if project.profiles is None else False
    return service.name in project.started


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


def _unused_servers(project: Project, findings: list[Finding]) -> list[str]:
    """Return notes on the services that are database servers and, as far as is known, used by nothing found."""
    endpoints = [finding.source.endpoint for finding in findings if finding.source.schema is not None]
    if None in endpoints:
        return []  # it may be the server of one whose configuration is still to come
    used = {endpoint.server_service for endpoint in endpoints if endpoint}
    return [
        f"service {service.name} ({service.image}) is a database server that no tracker or index found here uses: "
        "its databases are not among the sources"
        for service in project.services.values()
        if service.image and _SERVER_IMAGE.search(service.image) and service.name not in used
    ]


def _all_in_one(errors: list[ConfigurationError]) -> ConfigurationError:
    if len(errors) == 1:
        return errors[0]
    return ConfigurationError("\n".join(["several things in the stack are wrong:", *map(str, errors)]))


def _without_repeats(findings: list[Finding], notes: list[str]) -> list[Finding]:
    """Return each database once, in the order found; of services that name the same one, the likeliest that writes."""
    kept: list[Finding] = []
    for finding in sorted(findings, key=lambda finding: (not finding.by_image, not finding.certain)):
        first = next((other for other in kept if _same(other, finding)), None)
        if first is None:
            kept.append(finding)
        else:
            notes.append(f"services {first.source.service} and {finding.source.service} name the same database")
    return [finding for finding in findings if finding in kept]


def _same(first: Finding, other: Finding) -> bool:
    one, two = first.source, other.source
    if one.path or two.path:
        return one.path == two.path
    if one.endpoint and two.endpoint:
        return (one.type, one.schema, _server(one.endpoint)) == (two.type, two.schema, _server(two.endpoint))
    # Two servers may have schemas of one name; what a shared env_file repeats is the same.
    return not other.certain and (one.type, one.schema) == (two.type, two.schema)


def _server(endpoint: Endpoint) -> tuple[str, int]:
    return endpoint.server_service or endpoint.host, endpoint.port


def _discovery(project: Project, findings: list[Finding], notes: list[str]) -> Discovery:
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
        directory=project.directory,
        belongings=belongings(project),
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
    return ConfigurationError("\n".join(lines), hint=f"let `stack:` name the tracker's Compose project, {SOURCES_HINT}")
