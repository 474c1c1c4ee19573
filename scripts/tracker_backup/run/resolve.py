"""Which sources there are now: those that the configuration names, or those that the stack's own files do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tracker_backup.errors import ConfigurationError, UsageError
from tracker_backup.run.servers import describe_server, discovered_target, named_target
from tracker_backup.run.stackfiles import FILES, describe_files, files_source, notes_on
from tracker_backup.sources.interface import Source
from tracker_backup.stack.result import Belongings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tracker_backup.config.model import Config
    from tracker_backup.stack.discovery import DiscoveredSource, Discovery


@dataclass(frozen=True)
class Resolved:
    """The sources of an instance; `discovered` says that the stack told them, `images` are its services' images.

    `belongings` is what of the host belongs to the stack, as far as anything asked for it. `directory` is that
    of its Compose project. `unserved` are sources that no sidecar takes, where there are sidecars.
    """

    sources: tuple[Source, ...]
    discovered: bool
    notes: tuple[str, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    belongings: Belongings = field(default_factory=Belongings)
    directory: Path | None = None
    unserved: tuple[str, ...] = ()


@dataclass(frozen=True)
class Described:
    """What `discover` shows: sources as JSON objects, notes, and what is found and not supported."""

    sources: list[dict[str, Any]]
    notes: tuple[str, ...] = ()
    problem: ConfigurationError | None = None


def resolve_sources(config: Config) -> Resolved:
    """Return the sources as they are at this moment; nothing of an earlier run is relied on.

    Raises ConfigurationError when the stack cannot be read, has no database, or has one that cannot be backed up.
    """
    if config.sources is not None:
        named = _named(config)
        return replace(named, sources=_own(config, named.sources), unserved=_unserved(config, named.sources))
    from tracker_backup.stack.discovery import discover

    found = discover(config.stack)
    _refuse_unsupported(config, found)
    sources = _discovered(config, found)
    return Resolved(
        _own(config, sources),
        discovered=True,
        notes=_notes(config, found),
        images=found.images,
        belongings=found.belongings,
        directory=found.directory,
        unserved=_unserved(config, sources),
    )


def describe_sources(config: Config) -> Described:
    """Return every source there is, also what keeps some of them from being backed up; `discover` shows it.

    Raises ConfigurationError when the stack cannot be read or has no database.
    """
    if config.sources is not None:
        named = _named(config)
        return Described([_described(item) for item in _own(config, named.sources)], named.notes)
    from tracker_backup.stack.discovery import discover

    found = discover(config.stack)
    everything: list[dict[str, Any]] = [
        item.to_json() for item in (*found.sources, *(each.source for each in found.unsupported))
    ]
    if config.only is not None:
        everything = [item for item in everything if item["name"] == config.only]
    for source in _own(config, _discovered(config, found)):
        if source.type == FILES:
            everything.append(_described(source))
        elif source.target is not None:
            next(item for item in everything if item["name"] == source.name).update(describe_server(source))
    try:
        _refuse_unsupported(config, found)
    except ConfigurationError as error:
        return Described(everything, _notes(config, found), error)
    return Described(everything, _notes(config, found))


def _own(config: Config, sources: Sequence[Source]) -> tuple[Source, ...]:
    """Return the sources that are ours to take: all, or that of a sidecar."""
    return tuple(source for source in sources if config.only in {None, source.name})


def _unserved(config: Config, sources: Sequence[Source]) -> tuple[str, ...]:
    """Return the sources that came to the stack after its sidecars were made; the first of them tells."""
    if config.only is None or config.only != min(config.sidecars, default=None):
        return ()
    return tuple(source.name for source in sources if source.name not in config.sidecars)


def _notes(config: Config, found: Discovery) -> tuple[str, ...]:
    return (*found.notes, *notes_on(found.belongings)) if config.files.enabled else found.notes


def _discovered(config: Config, found: Discovery) -> tuple[Source, ...]:
    taken = (_database(config, item, found) for item in found.sources)
    databases = tuple(database for database in taken if database is not None)
    if not config.files.enabled:
        return databases
    return (*databases, files_source(config, databases, found.belongings))


def _database(config: Config, item: DiscoveredSource, found: Discovery) -> Source | None:
    """Return the source that a discovered database is, None for one whose place is not known."""
    project = found.directory
    roots = tuple(mount.path for mount in found.belongings.mounts if mount.service == item.service)
    target = discovered_target(config, item)
    if target is not None:
        return Source(item.name, item.type, project or config.stack, item.service, item.why, target=target)
    if item.path is None:
        return None
    return Source(
        name=item.name,
        type=item.type,
        path=item.path,
        service=item.service,
        why=item.why,
        mount=item.mount or "directory",
        container_path=item.container_path,
        project=project,
        roots=roots,
    )


def _named(config: Config) -> Resolved:
    """Return the sources that the configuration names; the files of a stack still are what its services see."""
    why = f"named under sources in {config.file}"
    wanted = config.sources or ()
    sources = [
        Source(item.name, item.type, item.path, item.service, why, target=named_target(config, item))
        for item in wanted
        if item.type != FILES
    ]
    if len(sources) == len(wanted):
        return Resolved(tuple(sources), discovered=False)
    from tracker_backup.stack.discovery import find_belongings

    try:
        belongings = find_belongings(config.stack)
        notes = notes_on(belongings)
    except ConfigurationError as error:
        unknown = f"files: what the services mount is not known, so only {config.stack} and files.extra_paths are taken"
        belongings, notes = Belongings(), (f"{unknown}: {error.message}",)
    files = files_source(config, sources, belongings, why=why)
    return Resolved((*sources, files), discovered=False, notes=notes, belongings=belongings)


def _described(source: Source) -> dict[str, Any]:
    if source.target is not None:
        return {"name": source.name, "type": source.type, **describe_server(source), "why": source.why}
    described = {"name": source.name, "type": source.type, "path": str(source.path), "why": source.why}
    return {**described, **describe_files(source)} if source.type == FILES else described


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
