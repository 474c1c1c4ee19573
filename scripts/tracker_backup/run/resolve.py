"""Which sources there are now: those that the configuration names, or those that the stack's own files do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tracker_backup.errors import ConfigurationError, UsageError
from tracker_backup.sources.interface import Source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker_backup.config.model import Config


@dataclass(frozen=True)
class Resolved:
    """The sources of an instance; `discovered` says that the stack told them, `images` are its services' images."""

    sources: tuple[Source, ...]
    discovered: bool
    notes: tuple[str, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)


def resolve_sources(config: Config) -> Resolved:
    """Return the sources as they are at this moment; nothing of an earlier run is relied on.

    Raises ConfigurationError when the stack cannot be read, has no database, or has one that cannot be backed up.
    """
    if config.sources is not None:
        named = tuple(
            Source(item.name, item.type, item.path, item.service, why=f"sources in {config.file}")
            for item in config.sources
        )
        return Resolved(named, discovered=False)
    from tracker_backup.stack.discovery import discover

    found = discover(config.stack)
    if found.unsupported:
        reasons = "\n".join(f"  {item.source.name}: {item.reason}" for item in found.unsupported)
        raise ConfigurationError(f"{config.stack}: found, not yet supported:\n{reasons}")
    sources = tuple(
        Source(item.name, item.type, item.path, item.service, item.why, item.mount or "directory", item.container_path)
        for item in found.sources
        if item.path is not None
    )
    return Resolved(sources, discovered=True, notes=found.notes, images=found.images)


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
