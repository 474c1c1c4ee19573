"""Several instances on one host: what two of them cannot share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tracker_backup.config.load import instance_files, load_config
from tracker_backup.errors import ConfigurationError, TrackerBackupError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracker_backup.config.model import Config


def require_no_conflict(config: Config) -> None:
    """Raise ConfigurationError when another instance of this host has a place that this one needs for itself."""
    found = list(conflicts(config))
    if found:
        listed = "\n".join(f"  {conflict}" for conflict in found)
        raise ConfigurationError(
            f"{config.file}: it is in conflict with another instance\n{listed}",
            hint="give each instance directories of its own",
        )


def conflicts(config: Config) -> Iterator[str]:
    """Yield what this instance and others both claim; a configuration that cannot be read claims nothing.

    The others are those in the directory of configurations: one that is elsewhere, named by --config, nobody knows.
    """
    for other in _others(config):
        for problem in between(config, other):
            yield f"{problem} ({other.file})"


def doubles(config: Config) -> Iterator[str]:
    """Yield what another instance backs up as well: no harm, but twice the load and the room, perhaps unknowingly."""
    for other in _others(config):
        if os.path.realpath(config.stack) == os.path.realpath(other.stack) and not _apart(config, other):
            yield f"instance {other.instance} backs up the stack {config.stack}, too ({other.file})"


def sharing(config: Config) -> list[Config]:
    """Return the other instances that back up the same stack, into repositories of their own."""
    return [
        other
        for other in _others(config)
        if os.path.realpath(config.stack) == os.path.realpath(other.stack)
        and config.state_directory != other.state_directory
        and not _overlap(config.repository, other.repository)
    ]


def sharing_metrics(config: Config) -> list[str]:
    """Return the names of other instances that write their metrics over this one's."""
    return [other.instance for other in _others(config) if other.metrics_file == config.metrics_file is not None]


def _others(config: Config) -> Iterator[Config]:
    for file in instance_files():
        if file.stem == config.instance:
            continue
        try:
            yield load_config(file)
        except TrackerBackupError:
            continue


def _apart(one: Config, other: Config) -> bool:
    """Tell whether two instances name sources of their own, none of which is the same."""
    if one.sources is None or other.sources is None:
        return False
    named = ({(each.type, each.path, each.mysql) for each in sources} for sources in (one.sources, other.sources))
    return not set.intersection(*named)


def between(one: Config, other: Config) -> Iterator[str]:
    """Yield what is wrong between two instances: backups, and what a run clears away, must be nobody else's."""
    name = other.instance
    if _overlap(one.repository, other.repository):
        yield f"repository: {one.repository} and {other.repository}, that of {name}, are not apart"
        return
    if one.state_directory == other.state_directory:
        yield f"state_directory: {one.state_directory} is that of {name}, too"
    if _overlap(one.staging, other.staging) or _inside(one.staging, other.repository):
        yield f"staging: {one.staging} lies in a directory that {name} clears"
    if _inside(other.staging, one.repository):
        yield f"repository: {one.repository} holds the staging directory of {name}"
    if _inside(one.stack, other.repository):
        yield f"stack: {one.stack} lies in the repository of {name}"
    if _inside(other.stack, one.repository):
        yield f"repository: {one.repository} holds the stack of {name}"
    if _inside(one.repository, other.stack):
        yield f"repository: {one.repository} lies in the stack of {name}, whose backups it would go into"
    if _inside(other.repository, one.stack):
        yield f"stack: {one.stack} holds the repository of {name}, which would go into the backups"


def _overlap(one: Path, other: Path) -> bool:
    return _inside(one, other) or _inside(other, one)


def _inside(path: Path, directory: Path) -> bool:
    return os.path.commonpath([os.path.realpath(path), os.path.realpath(directory)]) == os.path.realpath(directory)
