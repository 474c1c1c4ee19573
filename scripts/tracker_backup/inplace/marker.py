"""What is noted of a restore in place, so that whoever comes after a sudden death can finish or undo it.

The note is replaced as a whole and flushed before each step; a lock, which the kernel lets go with its holder, tells a
restore that is under way from one that was left behind.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker_backup.errors import RestoreError
from tracker_backup.system.files import fsync_directory, make_public_directory, write_atomically
from tracker_backup.system.records import made

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MARKER_NAME = "restoring.json"
LOCK_NAME = ".restoring.lock"

PREPARE, STOP, SWAP, FORWARD, START, UNDO, FINISH = "prepare", "stop", "swap", "forward", "start", "undo", "finish"
UNDONE = "undone"
"""The steps: `forward` replaces what leaves no old one, `undo` puts everything back, after `undone` there is
only something to start."""


@dataclass(frozen=True)
class Stopped:
    """A container that was at work before; `well` says that nothing was known against it then."""

    id: str
    name: str
    well: bool = True


@dataclass(frozen=True)
class Part:
    """One replacement of a restore: its type, its source, and what it has to know."""

    type: str
    source: str
    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Marker:
    """A restore under way: of which backup (`backup` is its directory), and about to do `step`.

    `grounds` are the directories that it works in, with their inodes: that of a volume, and not what it hides.
    """

    id: str
    backup: str
    step: str
    parts: tuple[Part, ...] = ()
    stopped: tuple[Stopped, ...] = ()
    grounds: Mapping[str, int] = field(default_factory=dict)
    leave_stopped: bool = False
    discard_current: bool = False


def write_marker(directory: Path, marker: Marker) -> None:
    """Note a restore in the state directory.

    Raises RestoreError when it cannot be noted.
    """
    try:
        make_public_directory(directory)
        write_atomically(directory / MARKER_NAME, (json.dumps(asdict(marker)) + "\n").encode(), 0o600)
    except OSError as error:
        raise RestoreError(f"the restore cannot be noted in {directory}: {error.strerror}") from error


def read_marker(directory: Path) -> Marker | None:
    """Return what is noted in a state directory, None where nothing is.

    Raises RestoreError for a note that cannot be understood.
    """
    path = directory / MARKER_NAME
    try:
        noted = json.loads(path.read_bytes())
        parts = tuple(made(Part, part, closed=True) for part in noted["parts"])
        stopped = tuple(made(Stopped, container, closed=True) for container in noted["stopped"])
        return made(Marker, {**noted, "parts": parts, "stopped": stopped}, closed=True)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise RestoreError(
            f"{path}, the note of a restore in place, cannot be read: {error}",
            hint="look at `docker ps` and for pre-restore-* beside the databases, then delete the note",
        ) from error


def remove_marker(directory: Path) -> None:
    """Forget a restore that is done."""
    (directory / MARKER_NAME).unlink(missing_ok=True)
    fsync_directory(directory)


@contextmanager
def claimed(directory: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the right to restore in place, or to clear up after one; False where another process does.

    With `wait` it is waited for.

    Raises RestoreError when the lock cannot be opened.
    """
    try:
        make_public_directory(directory)
        descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise RestoreError(f"cannot open {directory / LOCK_NAME}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
