"""That a run has begun: what is left of one that was killed, or went down with its host, and could say nothing.

Each run has a note of its own in the state directory, which it locks for as long as it lives and removes at its end,
however it ended. The kernel lets the lock go with the process: a note that nobody holds is that of a run that died,
whatever process has its number by now. It is kept until a later run of its job has ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tracker_backup.repository.manifest import format_time, parse_time
from tracker_backup.system.diskfaults import named
from tracker_backup.system.files import (
    create_private,
    fsync_directory,
    make_public_directory,
    opened_for_reading,
    unused_name,
    write_all,
)
from tracker_backup.system.records import made
from tracker_backup.system.signals import held_back

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tracker_backup.config.model import Config
    from tracker_backup.health.runs import LastRun

_PREFIX = "begun-"
_MOST_BYTES = 4096


@dataclass(frozen=True)
class Begun:
    """A run that began, when (UTC, RFC 3339), and as which process."""

    job: str
    began_at: str
    pid: int


class Beginning:
    """The note of one run."""

    def __init__(self, config: Config, job: str) -> None:
        """Say whose run it is; nothing is written yet."""
        self._config = config
        self._job = job
        self._path = config.state_directory / f"{_PREFIX}{unused_name()}"
        self._descriptor: int | None = None

    def note(self) -> None:
        """Write it such that it outlives the host; raises OSError where that cannot be, and nothing is left then."""
        make_public_directory(self._config.state_directory)  # status.json is read there by others
        begun = Begun(self._job, format_time(datetime.now(UTC)), os.getpid())
        with held_back(), named(self._path):  # a signal between the file and its number would leave the file behind
            self._descriptor = create_private(self._path)
            try:
                # First: who finds it and gets the lock takes it for that of a run that died, once it says something.
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                write_all(self._descriptor, json.dumps(asdict(begun)).encode())
                os.fsync(self._descriptor)
                fsync_directory(self._path.parent)
            except OSError:
                self.forget()
                raise

    def forget_dead(self) -> None:
        """Forget the runs that have died of this job, and of those that no schedule will ever run again."""
        scheduled = {job.name for job in self._config.jobs if job.schedule is not None}
        for path, begun in _left_behind(self._config.state_directory):
            if begun is None or begun.job == self._job or begun.job not in scheduled:
                path.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove the note, at the run's end; where the disk has become read-only, only the lock goes."""
        with held_back():
            if self._descriptor is None:
                return
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
            os.close(self._descriptor)  # last: without its lock it would be that of a run that died
            self._descriptor = None


def died(config: Config, runs: Sequence[LastRun], now: datetime) -> list[Begun]:
    """Return each job's newest run that has died, oldest first; `runs` is how each job's newest run ended.

    One that was killed after it had told of its end has told of it.
    """
    left = [begun for _, begun in _left_behind(config.state_directory) if begun is not None]
    left.sort(key=lambda begun: parse_time(begun.began_at))
    # What has ended in the future ended under another clock, perhaps long before.
    ended = {run.job: end for run in runs if (end := parse_time(run.finished_at)) <= now}
    untold = [begun for begun in left if begun.job not in ended or ended[begun.job] < parse_time(begun.began_at)]
    return list({begun.job: begun for begun in untold}.values())


def _left_behind(directory: Path) -> Iterator[tuple[Path, Begun | None]]:
    """Yield the notes that nobody holds, and what they say: nothing, where the host went down before it was written."""
    for path in sorted(directory.glob(f"{_PREFIX}*")):
        try:
            with opened_for_reading(path) as descriptor:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                data = os.read(descriptor, _MOST_BYTES)
        except OSError:
            continue  # its run goes on, or has ended at this moment
        yield path, _read(data)


def _read(data: bytes) -> Begun | None:
    try:
        begun = made(Begun, json.loads(data), strict=True)
        parse_time(begun.began_at)
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    return begun
