"""One writing run at a time: a lock that the kernel lets go when its holder dies, and who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from typing import TYPE_CHECKING, Any, Self

from tracker_backup.errors import LockHeldError, RepositoryError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

LOCK_NAME = ".lock"
_WAIT_SECONDS = 0.5
_READER_SECONDS, _PATIENCE_SECONDS = 0.01, 2.0


class RepositoryLock:
    """An flock on a file of the repository; what the holder does stands in the file, for people."""

    def __init__(self, repository: Path) -> None:
        """Name the lock; it is taken with :meth:`acquire`."""
        self._path = repository / LOCK_NAME
        self._descriptor: int | None = None
        self._holder: dict[str, Any] = {}

    def acquire(self, *, job: str, wait_seconds: float = 0) -> Self:
        """Take the lock, waiting at most `wait_seconds` for whoever has it.

        Raises LockHeldError, naming the holder, when it is not to be had; RepositoryError when it cannot be opened.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise RepositoryError(f"cannot open the lock {self._path}: {error.strerror}") from error
        give_up = time.monotonic() + wait_seconds
        while not _try_lock(descriptor):
            if time.monotonic() < give_up + _PATIENCE_SECONDS and _only_asked_for(descriptor):
                time.sleep(_READER_SECONDS)
                continue
            if time.monotonic() >= give_up:
                os.close(descriptor)
                raise LockHeldError(f"another run is at work: {describe_holder(self._path.parent)}")
            time.sleep(min(_WAIT_SECONDS, max(0.01, give_up - time.monotonic())))
        self._descriptor = descriptor
        self._holder = {"pid": os.getpid(), "job": job, "phase": "start", "started": time.time()}
        self._write()
        return self

    def phase(self, name: str) -> None:
        """Note what the holder is doing now."""
        self._holder["phase"] = name
        self._write()

    def release(self) -> None:
        """Let go."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        """Return the lock, which must have been taken."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go."""
        self.release()

    def _write(self) -> None:
        if self._descriptor is None:
            return
        # The note is for people: a disk without room for it must not end a run that may be about to make room.
        with contextlib.suppress(OSError):
            data = json.dumps(self._holder).encode()
            os.pwrite(self._descriptor, data, 0)
            os.ftruncate(self._descriptor, len(data))


def read_holder(repository: Path) -> dict[str, Any] | None:
    """Return pid, job, phase and start (seconds since the epoch) of the run that holds the lock, or None.

    The answer is empty where somebody holds it and does not say who. Raises RepositoryError where it cannot be opened,
    PermissionError where we may not.
    """
    try:
        descriptor = os.open(repository / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except PermissionError:
        raise
    except OSError as error:
        raise RepositoryError(f"cannot open the lock {repository / LOCK_NAME}: {error.strerror}") from error
    try:
        if _try_lock(descriptor, shared=True):
            return None
        holder = json.loads(os.read(descriptor, 4096) or b"{}")
        time.localtime(holder["started"])
        return dict(holder)
    except (ValueError, TypeError, KeyError, OverflowError):
        return {}  # it is being written at this moment
    finally:
        os.close(descriptor)


def describe_holder(repository: Path) -> str:
    """Say who holds the lock, for a message."""
    holder = read_holder(repository)
    return describe(holder) if holder else "it has just started or just ended"


def describe(holder: dict[str, Any]) -> str:
    """Say who a holder is."""
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(holder.get("started", 0)))
    return f"process {holder.get('pid')}, job {holder.get('job')}, phase {holder.get('phase')}, since {since}"


def _only_asked_for(descriptor: int) -> bool:
    """Tell whether what keeps us out is no run, but somebody who asks who holds the lock: that is over in no time."""
    if not _try_lock(descriptor, shared=True):
        return False
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return True


def _try_lock(descriptor: int, *, shared: bool = False) -> bool:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
