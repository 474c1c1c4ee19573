"""The entry point of our containers: a real cron in the foreground, the log on the container's output, a clean end.

cron as a container's main program loses its jobs to SIGKILL, as it passes no signal on; so it is a child of ours, and
we tell what runs to end, and wait for that. Whatever hangs is Docker's to kill, after `stop_grace_period`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.config.model import ORCHESTRATOR, SIDECAR
from tracker_backup.containers.docker import MARKER_NAME
from tracker_backup.containers.pause import THAW_SECONDS, thaw_left_behind
from tracker_backup.errors import CommandError, ConfigurationError, TerminatedError
from tracker_backup.health.statefile import STATUS_NAME
from tracker_backup.placement.here import Here, here_of, note_here
from tracker_backup.placement.relay import Relay
from tracker_backup.system.signals import ignore_signals
from tracker_backup.system.stream import Child, describe_exit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker_backup.config.model import Config
    from tracker_backup.schedule.entries import Entry

PACKAGE = Path(__file__).resolve().parents[1]
_LOOK_EVERY_SECONDS = 0.5


def take_place() -> Here:
    """Note where we are, for all that is started here; only what Compose has started with our file is such a place.

    Raises ConfigurationError elsewhere.
    """
    here = here_of(os.environ)
    if here is None or not here.container:
        raise ConfigurationError(
            "`serve` is for the containers that `tracker-backup compose` describes: on a host cron runs the schedule",
            hint="see docs/architectures.md",
        )
    note_here(here)
    return here


def serve(config: Config) -> int:
    """Run the schedule until a signal comes; return the exit code, 0 where that was what ended it.

    A start counts as a boot, on which what was missed is made up for: cron's own note of one is in /run, in memory.

    Raises CommandError when cron ends by itself, or cannot be started.
    """
    from tracker_backup.schedule import service

    service.apply(config)
    if config.placement == SIDECAR:  # of a time on the host: nobody would write it any more
        (config.state_directory.parent / STATUS_NAME).unlink(missing_ok=True)
    config.log_file.parent.mkdir(parents=True, exist_ok=True)
    config.log_file.touch(mode=0o600)
    with Relay(config.log_file):
        try:
            _run_cron(service.entries_of(config))
        except TerminatedError:
            ignore_signals()  # the end is under way, and cron starts nothing any more
            _say("told to stop: what is under way ends cleanly")
            end_runs(config)
    return 0


def _run_cron(entries: Sequence[Entry]) -> None:
    """Run cron until a signal comes, which raises TerminatedError; its jobs go on, each in a session of its own."""
    with Child(["cron", "-f"], dies_with_us=True) as cron:
        for entry in entries:
            _say(f"{entry.label}: {entry.schedule}")
        while cron.ended() is None:
            time.sleep(_LOOK_EVERY_SECONDS)
        raise CommandError(f"cron {describe_exit(cron.end())}: {cron.last_words()}")


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(1, f"tracker-backup: {text}\n".encode())


def end_runs(config: Config) -> None:
    """Tell all runs in this container, and helpers of the orchestrator, to end, and wait until they have."""
    told: set[int] = set()
    while running := list(runs()):
        for pid in running:
            if pid not in told:
                told.add(pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
        time.sleep(_LOOK_EVERY_SECONDS / 5)
    if config.placement == ORCHESTRATOR:
        from tracker_backup.placement.delegation import stop_helpers

        try:
            stop_helpers(config.instance)
            _let_thaw(config)
        except CommandError as error:
            _say(str(error))


def _let_thaw(config: Config) -> None:
    """Wait for the owner of a pause, which runs in this container, and would end with it."""
    give_up = time.monotonic() + THAW_SECONDS
    while (config.state_directory / MARKER_NAME).exists() and time.monotonic() < give_up:
        thaw_left_behind(config.state_directory)
        time.sleep(_LOOK_EVERY_SECONDS / 5)


def runs() -> Iterator[int]:
    """Yield the processes in this container, but for ourselves, that are this program: cron's, and `docker exec`'s."""
    ours = os.getpid()
    program = os.fsencode(PACKAGE)
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == ours:
            continue
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if words[1:3] == [b"-I", program]:
                yield int(process.name)
