"""Make services and volumes of what all Compose files together say: environment files, mounts of others, names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tracker_backup.compose import reading
from tracker_backup.compose.context import Context
from tracker_backup.compose.drafts import Content, EnvFileReference, FileDraft, FileReference, ServiceDraft
from tracker_backup.compose.envfile import parse_env, parse_raw_env
from tracker_backup.compose.model import Mount, Service, Variable, Volume
from tracker_backup.errors import ConfigurationError

_CONTAINER = "container:"


def finish_services(content: Content, context: Context) -> dict[str, Service]:
    """Return the services, with their environment files read; `context` is that of the project.

    Raises ConfigurationError for an environment file that cannot be read, and for volumes taken in a circle or from
    a service that is not there.
    """
    return {name: _finish(name, draft, content, context) for name, draft in content.services.items()}


def finish_volumes(content: Content, project: str) -> dict[str, Volume]:
    """Return the volumes by the names of the Compose files, also those that services use and nobody declares."""
    used = {
        mount.source
        for draft in content.services.values()
        for mount in draft.volumes.values()
        if mount.kind == "volume" and mount.source
    }
    undeclared = {key: Volume(key, f"{project}_{key}") for key in sorted(used - set(content.volumes))}
    return undeclared | {
        key: Volume(
            key=key,
            name=draft.name or (key if draft.external else f"{project}_{key}"),
            external=draft.external,
            driver=draft.driver,
            options=draft.options,
        )
        for key, draft in content.volumes.items()
    }


def _finish(name: str, draft: ServiceDraft, content: Content, context: Context) -> Service:
    """Return the service; `environment:` wins over its files, later files over earlier ones."""
    variables: dict[str, Variable] = {}
    for reference in draft.env_file.values():
        variables.update(_read_env_file(name, reference, context))
    for variable, value in draft.environment.items():
        if value is None:
            variables.pop(variable, None)  # passed through, and not set: also what a file says of it is gone
        else:
            variables[variable] = value
    return Service(
        name=name,
        image=draft.image,
        container_name=draft.container_name,
        working_dir=draft.working_dir,
        variables=variables,
        mounts=tuple(_mounts(name, content, ()).values()),
        hostname=draft.hostname,
        aliases=tuple(draft.networks),
        links=draft.links,
        profiles=tuple(draft.profiles),
        networks=tuple(draft.joined),
        network_mode=draft.network_mode,
    )


def _read_env_file(service: str, reference: EnvFileReference, context: Context) -> dict[str, Variable]:
    text = reading.read_text_if_there(reference.path)
    if text is None:
        if reference.required:
            raise ConfigurationError(
                f"service {service}: its env_file {reference.path} does not exist",
                hint="write it, or let `env_file:` say `required: false`: without it Compose does not start the stack",
            )
        return {}
    context.env_files[reference.path] = None
    parse = parse_raw_env if reference.format == "raw" else parse_env
    parsed = parse(text, file=str(reference.path), environment=context.variables)
    context.missing.update(dict.fromkeys(parsed.missing))
    origin = context.called(reference.path)
    return {name: Variable(value, origin, from_env_file=True) for name, value in parsed.values.items()}


def _mounts(service: str, content: Content, seen: tuple[str, ...]) -> dict[str, Mount]:
    """Return what is mounted into a service's containers by the places there, also what it takes from others."""
    if service in seen:
        circle = " → ".join((*seen[seen.index(service) :], service))
        raise ConfigurationError(f"`volumes_from` goes in a circle: {circle}", hint="Compose refuses that too")
    draft = content.services[service]
    mounts: dict[str, Mount] = {}
    for entry in draft.volumes_from:
        if entry.startswith(_CONTAINER):
            continue  # no service of the stack; where Docker is asked, it says what comes of it
        other, _, mode = entry.partition(":")
        if other not in content.services:
            raise ConfigurationError(
                f"service {service}: `volumes_from` names the service {other}, which is not there",
                hint="Compose refuses that too",
            )
        for target, mount in _mounts(other, content, (*seen, service)).items():
            mounts[target] = _read_only(mount) if mode == "ro" else mount
    own = {**draft.volumes, **draft.tmpfs}
    own |= _files(draft.configs, content.configs) | _files(draft.secrets, content.secrets)
    return mounts | own


def _files(references: Mapping[str, FileReference], drafts: Mapping[str, FileDraft]) -> dict[str, Mount]:
    mounts = {}
    for target, reference in references.items():
        draft = drafts.get(reference.name, FileDraft())
        if draft.file is not None:
            mounts[target] = Mount("bind", str(draft.file), target, read_only=True)
        elif draft.content is not None:
            mounts[target] = Mount("inline", "", target, read_only=True, content=draft.content)
        else:
            mounts[target] = Mount("other", "", target, read_only=True)
    return mounts


def _read_only(mount: Mount) -> Mount:
    return replace(mount, read_only=True)
