"""Which sources there are now: those that the configuration names, or those that the stack's own files do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tracker_backup.errors import ConfigurationError, UsageError
from tracker_backup.sources.interface import Source
from tracker_backup.sources.mysql.target import Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker_backup.config.model import Config, SourceSettings
    from tracker_backup.stack.discovery import DiscoveredSource, Discovery


@dataclass(frozen=True)
class Resolved:
    """The sources of an instance; `discovered` says that the stack told them, `images` are its services' images."""

    sources: tuple[Source, ...]
    discovered: bool
    notes: tuple[str, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Described:
    """What `discover` shows: sources as JSON objects, notes, and what is found and not supported."""

    sources: list[dict[str, str]]
    notes: tuple[str, ...] = ()
    problem: ConfigurationError | None = None


def resolve_sources(config: Config) -> Resolved:
    """Return the sources as they are at this moment; nothing of an earlier run is relied on.

    Raises ConfigurationError when the stack cannot be read, has no database, or has one that cannot be backed up.
    """
    if config.sources is not None:
        return Resolved(_named(config), discovered=False)
    from tracker_backup.stack.discovery import discover

    found = discover(config.stack)
    _refuse_unsupported(config, found)
    sources = tuple(source for item in found.sources if (source := _discovered(config, item)) is not None)
    return Resolved(sources, discovered=True, notes=found.notes, images=found.images)


def describe_sources(config: Config) -> Described:
    """Return every source there is, also what keeps some of them from being backed up; `discover` shows it.

    Raises ConfigurationError when the stack cannot be read or has no database.
    """
    if config.sources is not None:
        return Described([_described(item) for item in _named(config)])
    from tracker_backup.stack.discovery import discover

    found = discover(config.stack)
    everything = [item.to_json() for item in (*found.sources, *(each.source for each in found.unsupported))]
    try:
        _refuse_unsupported(config, found)
    except ConfigurationError as error:
        return Described(everything, found.notes, error)
    return Described(everything, found.notes)


def _named(config: Config) -> tuple[Source, ...]:
    why = f"named under sources in {config.file}"
    return tuple(
        Source(item.name, item.type, item.path, item.service, why, target=_target(config, item))
        for item in config.sources or ()
    )


def _described(source: Source) -> dict[str, str]:
    where = {"path": str(source.path)} if source.target is None else {"schema": source.target.schema}
    return {"name": source.name, "type": source.type, **where, "why": source.why}


def _discovered(config: Config, item: DiscoveredSource) -> Source | None:
    """Return the source that discovery has found, None for one whose place is not known."""
    if item.endpoint is not None and item.schema is not None:
        target = Target(
            schema=item.schema,
            user=item.endpoint.user,
            password=item.endpoint.password,
            host=item.endpoint.host,
            port=item.endpoint.port,
            service=item.endpoint.server_service,
            reach=config.mysql_reach,
            non_transactional=config.mysql_non_transactional,
        )
        return Source(item.name, item.type, config.stack, item.service, item.why, target=target)
    if item.path is None:
        return None
    mount = item.mount or "directory"
    return Source(item.name, item.type, item.path, item.service, item.why, mount, item.container_path)


def _target(config: Config, item: SourceSettings) -> Target | None:
    """Return where the schema of a named source is, None for a file."""
    if item.mysql is None:
        return None
    return Target(
        schema=item.mysql.schema,
        user=item.mysql.user,
        password_file=item.mysql.password_file,
        host=item.mysql.host,
        port=item.mysql.port,
        socket=item.mysql.socket,
        service=item.service,
        reach=item.mysql.reach or config.mysql_reach,
        non_transactional=config.mysql_non_transactional,
    )


def _refuse_unsupported(config: Config, found: Discovery) -> None:
    if found.unsupported:
        reasons = "\n".join(f"  {item.source.name}: {item.reason}" for item in found.unsupported)
        raise ConfigurationError(
            f"{config.stack}: found, not yet supported:\n{reasons}",
            hint="nothing was backed up; to back up the rest, name it under `sources:` in the configuration",
        )


def choose(sources: Sequence[Source], wanted: Sequence[str] | None) -> tuple[Source, ...]:
    """Return the sources of those names, or all.

    Raises UsageError for a name that no source has.
    """
    if wanted is None:
        return tuple(sources)
    unknown = [name for name in wanted if name not in {source.name for source in sources}]
    if unknown:
        names = ", ".join(source.name for source in sources)
        raise UsageError(f"there is no source {', '.join(unknown)}", hint=f"there are: {names}")
    return tuple(source for source in sources if source.name in wanted)
