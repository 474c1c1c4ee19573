"""What most commands begin with: the configuration, the repository, somebody to report to."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tracker_backup.cli.streams import complain
from tracker_backup.config.guard import require_safe
from tracker_backup.config.load import find_config, load_config
from tracker_backup.config.model import HOST, ORCHESTRATOR
from tracker_backup.containers.docker import MARKER_NAME
from tracker_backup.errors import CommandError, TrackerBackupError
from tracker_backup.inplace.marker import MARKER_NAME as RESTORING_NAME
from tracker_backup.placement.here import find_here, placed
from tracker_backup.report.reporter import SilentReporter
from tracker_backup.repository.store import Repository
from tracker_backup.system.text import visible
from tracker_backup.system.trust import weakness

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator
    from pathlib import Path

    from tracker_backup.config.model import Config
    from tracker_backup.report.reporter import Reporter


def load(arguments: Namespace) -> Config:
    """Return the configuration that the command line means, checked.

    Whatever is started, it first undoes a pause whose owners have died, and a restore in place.
    """
    return load_file(find_config(arguments.instance, arguments.config))


def load_file(path: Path) -> Config:
    """Return the configuration in a file, checked, as nobody but root can change it; for the rest see :func:`load`."""
    here = find_here()
    config = placed(load_config(path), here)
    paused, directory = config.state_directory / MARKER_NAME, config.state_directory
    # The tracker does not stay frozen for a fault in the repository; what is noted must be ours, though.
    if paused.exists() and os.access(directory, os.W_OK) and weakness(directory) is None:
        _undo_pause(config)
    require_safe(config)
    if here is None or here.placement != ORCHESTRATOR:  # which sees nothing of the stack: its helpers do that
        undo_restore(config.state_directory, config)
    return config


def _undo_pause(config: Config) -> None:
    """Thaw what was left behind, which is hardly ever needed, and tell everybody who could want to know."""
    from tracker_backup.containers.pause import thaw_left_behind
    from tracker_backup.system.logs import LOGGER, logs_open

    try:
        thawed = thaw_left_behind(config.state_directory)
        problem = f"thawed {', '.join(thawed)}, which a backup that died had left paused" if thawed else None
    except CommandError as error:
        problem = str(error)  # it must not keep anybody from what he wants to do, a restore perhaps
    if problem is not None:
        warn(problem)
        with logs_open(config.log_file, config.instance, config.log_format):
            LOGGER.warning("%s", problem)


def undo_restore(state_directory: Path, config: Config | None) -> None:
    """Finish or undo a restore in place that died, and tell everybody who could want to know."""
    if not (state_directory / RESTORING_NAME).exists() or not os.access(state_directory, os.W_OK):
        return
    from tracker_backup.inplace.recovery import recover
    from tracker_backup.system.logs import LOGGER, logs_open

    try:
        said = recover(state_directory, config)
    except (TrackerBackupError, OSError) as error:
        said = f"a restore in place has died, and cannot be cleared up after: {error}"
    if said is not None:
        warn(said)
        if config is not None:
            with logs_open(config.log_file, config.instance, config.log_format):
                LOGGER.warning("%s", said)


def restored_to(config: Config, name: str) -> str:
    """Return the directory for `--to` in a command to copy."""
    return "./restored" if config.placement == HOST else f"./{name}"


def repository_of(config: Config) -> Repository:
    """Return the instance's repository."""
    return Repository(config.repository, config.staging, shared=config.only is not None)


@contextmanager
def reporting(arguments: Namespace) -> Iterator[Reporter]:
    """Give the reporter that fits: bars on a terminal, lines elsewhere, nothing with --quiet."""
    if arguments.quiet:
        yield SilentReporter()
    elif sys.stderr.isatty():
        from tracker_backup.report.terminal import TerminalReporter  # rich costs 60 to 80 ms

        bars = TerminalReporter()
        try:
            yield bars
        finally:
            bars.close()
    else:
        from tracker_backup.report.plain import PlainReporter

        lines = PlainReporter()
        try:
            yield lines
        finally:
            lines.close()


def say(text: str = "") -> None:
    """Print a result; that its reader has left changes nothing about what is done next."""
    try:
        sys.stdout.write(visible(text) + "\n")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def warn(text: str) -> None:
    """Print what is wrong."""
    complain(text)


def count(number: int, thing: str) -> str:
    """Return "1 backup", "2 backups"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def command_line(config: Config, *words: str) -> str:
    """Return a command that a person can copy: sudo where root ran, the launcher, and the instance if it needs one."""
    return config.command_line(*words, sudo=os.geteuid() == 0)
