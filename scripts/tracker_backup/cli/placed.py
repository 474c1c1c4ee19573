"""What a command minds in a container of ours before it does anything, docs/architectures.md."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.cli.context import load
from tracker_backup.config.model import HOST, ORCHESTRATOR
from tracker_backup.errors import TrackerBackupError, UsageError
from tracker_backup.placement.delegation import delegate, is_delegated
from tracker_backup.placement.here import find_here
from tracker_backup.system.logs import LOGGER, logs_open
from tracker_backup.system.trust import TRUSTED_VARIABLE

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from tracker_backup.config.model import Config


def prepare(arguments: Namespace, words: Sequence[str]) -> None:
    """Trust whom Compose says to trust, refuse what would be lost, and become a helper's command where one is needed.

    Raises UsageError, and what :func:`delegate` does.
    """
    here = find_here()
    if here is not None and here.trusted:
        os.environ.setdefault(TRUSTED_VARIABLE, here.trusted)
    written = getattr(arguments, "to", None) or getattr(arguments, "html", None)
    if written is not None:
        _require_kept(load(arguments), written)
    if getattr(arguments, "to", None):
        arguments.to = os.path.realpath(arguments.to)  # messages name it, and whoever reads them is elsewhere
    if here is None or here.placement != ORCHESTRATOR or not is_delegated(arguments):
        return
    config = load(arguments)
    try:
        delegate(config, here, words, in_place=getattr(arguments, "in_place", False))
    except TrackerBackupError as error:
        if arguments.now and arguments.quiet:
            _tell(config, error)
        raise


def _require_kept(config: Config, path: str) -> None:
    """Raise UsageError where what is written would be gone with the container."""
    place = Path(os.path.realpath(path))
    if config.placement != HOST and not place.is_relative_to(config.restored):
        raise UsageError(
            f"{place} would be in a container, and gone with it",
            hint=f"name a place in {config.restored}; a name alone, such as --to today, means one there",
        )


def _tell(config: Config, error: TrackerBackupError) -> None:
    """Let log and dead man's switch know of a scheduled run for which no helper could be made."""
    from tracker_backup.health.ping import FAILURE, ping

    with logs_open(config.log_file, config.instance, config.log_format):
        LOGGER.error("%s", error)
        if config.ping_url is not None and (problem := ping(config.ping_url, FAILURE, str(error))):
            LOGGER.warning("%s", problem)
