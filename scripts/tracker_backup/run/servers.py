"""Schemas on servers as sources: from what discovery or the configuration says to where they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tracker_backup.config.model import WITHOUT_DOCKER
from tracker_backup.errors import TrackerBackupError
from tracker_backup.sources.mysql.target import Target

if TYPE_CHECKING:
    from pathlib import Path

    from tracker_backup.config.model import Config, SourceSettings
    from tracker_backup.sources.interface import Source
    from tracker_backup.stack.discovery import DiscoveredSource


def discovered_target(config: Config | None, item: DiscoveredSource) -> Target | None:
    """Return where a discovered schema is, with the login that its service uses; None for what is no schema."""
    if item.endpoint is None or item.schema is None:
        return None
    found = Target(
        schema=item.schema,
        user=item.endpoint.user,
        password=item.endpoint.password,
        host=item.endpoint.host,
        port=item.endpoint.port,
        service=item.endpoint.server_service,
    )
    if config is None:
        return found
    found = replace(found, reach=config.mysql_reach, non_transactional=config.mysql_non_transactional)
    return _as_neighbours_see_it(config, found)


def schemas_of(stack: Path) -> list[Source]:
    """Return the schemas that a stack uses, as its own files tell, where there is no configuration of ours.

    Raises ConfigurationError when the stack cannot be read.
    """
    from tracker_backup.sources.interface import Source
    from tracker_backup.stack.discovery import discover

    found = discover(stack)
    targets = [(item, discovered_target(None, item)) for item in found.sources]
    return [
        Source(item.name, item.type, found.directory or stack, item.service, item.why, target=target)
        for item, target in targets
        if target is not None
    ]


def named_target(config: Config, item: SourceSettings) -> Target | None:
    """Return where the schema of a named source is, None for a file."""
    if item.mysql is None:
        return None
    found = Target(
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
    return _as_neighbours_see_it(config, found)


def _as_neighbours_see_it(config: Config, target: Target) -> Target:
    """Return the target as it is for a container of the stack without Docker: by the name that the network gives it."""
    if config.placement not in WITHOUT_DOCKER:
        return target
    return replace(target, host=target.service or target.host, service=None)


def describe_server(source: Source) -> dict[str, Any]:
    """Return what `discover` says of a schema besides: how its server is reached now, or what keeps a dump from it."""
    from tracker_backup.sources.mysql.prepare import prepare

    if source.target is None:
        return {}
    try:
        prepared = prepare(source)
    except TrackerBackupError as error:
        return {"schema": source.target.schema, "problem": str(error)}
    passed_over = prepared.reached.passed_over
    described = {"schema": source.target.schema, "reach": str(prepared.reached.way)}
    return {**described, "passed_over": list(passed_over)} if passed_over else described


def is_there(source: Source) -> bool:
    """Return whether a source can be read by now: a file is there, a server answers."""
    if source.target is None:
        return source.path.exists()
    return "reach" in describe_server(source)
