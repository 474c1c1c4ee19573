"""compose and serve: the placements in containers of the stack."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.cli.context import load, say
from tracker_backup.config.model import HOST
from tracker_backup.errors import ConfigurationError
from tracker_backup.system.trust import TRUSTED_VARIABLE

if TYPE_CHECKING:
    from argparse import Namespace

    from tracker_backup.config.model import Config
    from tracker_backup.placement.composing import Stack


def compose(arguments: Namespace) -> int:
    """Print the Compose file of the configured placement, to be put beside the stack's own."""
    from tracker_backup.placement.composing import Image, compose_document, render

    config = load(arguments)
    if config.placement == HOST:
        raise ConfigurationError(
            f"{config.file} says that the program runs on the host: there is nothing to tell Compose",
            hint="set tracker_backup_placement to service, sidecar or orchestrator: docs/architectures.md",
        )
    trusted = os.environ.get(TRUSTED_VARIABLE, "")
    image = Image(arguments.image_name, arguments.base_image, arguments.localtime, trusted)
    say(render(compose_document(config, _stack_of(config), image), config.placement).rstrip("\n"))
    return 0


def serve(arguments: Namespace) -> int:
    """Run the schedule in the foreground: what a container of ours does."""
    from tracker_backup.placement.entry import serve as run
    from tracker_backup.placement.entry import take_place

    take_place()
    os.chdir("/")
    return run(load(arguments))


def _stack_of(config: Config) -> Stack:
    """Look at the stack as far as Compose has to be told of it."""
    from tracker_backup.placement.composing import Stack
    from tracker_backup.run.resolve import resolve_sources
    from tracker_backup.sources.sqlite.opening import read_header
    from tracker_backup.stack.survey import survey

    real = Path(os.path.realpath(config.stack))
    if real != config.stack:
        raise ConfigurationError(
            f"{config.stack} is reached through a link, and a container sees {real} only under that name",
            hint=f"set tracker_backup_stack_dir to {real}",
        )
    resolved = resolve_sources(config)
    project = survey(config.stack)
    linked, writable = {}, []
    for source in resolved.sources:
        if source.type != "sqlite":
            continue
        there = Path(os.path.realpath(source.path))
        if there != source.path:
            linked[source.name] = there.parent
        switches = config.sqlite_journal_mode == "wal" or not source.path.exists()
        if switches or read_header(source.path)["wal_mode"]:
            writable += [source.path.parent, there.parent]
    return Stack(
        directory=config.stack,
        sources=resolved.sources,
        mounts=resolved.belongings.mounts,
        services=frozenset(project.services),
        networks={
            name: () if each.network_mode else each.networks or ("default",) for name, each in project.services.items()
        },
        writable=tuple(writable),
        linked=linked,
        volumes={volume.name: key for key, volume in project.volumes.items()},
    )
