"""What is noted on a host of a move, so that the same command goes on where it was, whatever ended it."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from tracker_backup.errors import LockHeldError, TrackerBackupError
from tracker_backup.run.deployed import LEAVING_NAME
from tracker_backup.system.files import fsync_directory, make_public_directory, write_atomically
from tracker_backup.system.records import made

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ARRIVING_NAME = "arriving.json"
_LOCK_NAME = ".moving.lock"
STOPPING, LEFT = "stopping", "left"
PLACED, LOADED, STARTED, WITHDRAWN = "placed", "loaded", "started", "withdrawn"

_Note = TypeVar("_Note")

Rows = dict[str, dict[str, int]]
"""The number of rows by source and table."""


@dataclass(frozen=True)
class Leaving:
    """A stack that is leaving this host, or has left.

    `ran` are the services that were at work, `policies` the restart policies by container that were taken from them.
    `backup` is the last backup's id, once there is one, `rows` what its databases hold.
    """

    step: str
    ran: tuple[str, ...]
    policies: Mapping[str, str] = field(default_factory=dict)
    backup: str | None = None
    rows: Rows = field(default_factory=dict)


@dataclass(frozen=True)
class Arriving:
    """A stack that arrives on this host, out of the backup of that id; `step` is the last one that is done."""

    backup: str
    step: str = ""
    services: tuple[str, ...] = ()


class Notebook:
    """The notes in an instance's state directory; each is replaced as a whole, and flushed."""

    def __init__(self, directory: Path) -> None:
        """Name the directory; nothing is read by that."""
        self._directory = directory

    def leaving(self) -> Leaving | None:
        """Return what is noted of leaving, None where nothing is.

        Raises TrackerBackupError for a note that cannot be understood.
        """
        noted = self._read(LEAVING_NAME)
        return None if noted is None else self._made(LEAVING_NAME, Leaving, _tuples(noted, "ran"))

    def arriving(self) -> Arriving | None:
        """Return what is noted of arriving, None where nothing is; raises as `leaving`."""
        noted = self._read(ARRIVING_NAME)
        return None if noted is None else self._made(ARRIVING_NAME, Arriving, _tuples(noted, "services"))

    def write(self, note: Leaving | Arriving) -> None:
        """Note it.

        Raises TrackerBackupError when it cannot be noted: what cannot be gone on with must not begin.
        """
        name = LEAVING_NAME if isinstance(note, Leaving) else ARRIVING_NAME
        try:
            make_public_directory(self._directory)
            write_atomically(self._directory / name, (json.dumps(asdict(note)) + "\n").encode(), 0o600)
        except OSError as error:
            raise TrackerBackupError(f"the move cannot be noted in {self._directory}: {error.strerror}") from error

    def forget(self, name: str) -> None:
        """Forget that the stack has left, because it is here again, or that it had arrived, because it has left."""
        (self._directory / name).unlink(missing_ok=True)
        fsync_directory(self._directory)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the right to move the stack of this instance.

        Raises LockHeldError where another process does, TrackerBackupError where the lock cannot be opened.
        """
        try:
            make_public_directory(self._directory)
            descriptor = os.open(self._directory / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise TrackerBackupError(f"cannot open {self._directory / _LOCK_NAME}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise LockHeldError("a move is under way on this host", hint="wait for its end, then try again") from error
        finally:
            os.close(descriptor)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            noted = json.loads((self._directory / name).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise self._unreadable(name, error) from error
        return noted if isinstance(noted, dict) else {}

    def _made(self, name: str, kind: type[_Note], noted: dict[str, Any]) -> _Note:
        try:
            return made(kind, noted, closed=True)
        except TypeError as error:
            raise self._unreadable(name, error) from error

    def _unreadable(self, name: str, error: Exception) -> TrackerBackupError:
        return TrackerBackupError(
            f"{self._directory / name}, the note of a move, cannot be read: {error}",
            hint="look at `docker ps --all` on both hosts, then delete the note",
        )


def _tuples(noted: dict[str, Any], name: str) -> dict[str, Any]:
    listed = noted.get(name, [])
    return {**noted, name: tuple(listed) if isinstance(listed, list) else listed}


def advanced(note: Arriving, step: str) -> Arriving:
    """Return the note with one step more."""
    return replace(note, step=step)
