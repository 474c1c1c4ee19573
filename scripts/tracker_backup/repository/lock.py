"""One writing run at a time: a lock that the kernel lets go when its holder dies, and who holds it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import stat
import time
from typing import TYPE_CHECKING, Any, Self

from tracker_backup.errors import LockHeldError, RepositoryError
from tracker_backup.system.container import short_id
from tracker_backup.system.diskfaults import remedy

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

LOCK_NAME = ".lock"
MARKER_NAME = ".tracker-backup"
"""What makes a directory a repository. It is locked as well: without it nothing begins, while anybody may think that a
lock file is stale, and delete it."""
_WAIT_SECONDS = 0.5
_READER_SECONDS, _PATIENCE_SECONDS = 0.01, 2.0
_NOTE_BYTES = 4096


class RepositoryLock:
    """An flock on a file of the repository; what the holder does stands in the file, for people."""

    def __init__(self, repository: Path) -> None:
        """Name the lock; it is taken with :meth:`acquire`."""
        self._path = repository / LOCK_NAME
        self._descriptor: int | None = None
        self._marker: int | None = None
        self._holder: dict[str, Any] = {}

    def acquire(self, *, job: str, wait_seconds: float = 0) -> Self:
        """Take the lock, waiting at most `wait_seconds` for whoever has it.

        Raises LockHeldError, naming the holder, when it is not to be had; RepositoryError when it cannot be opened.
        """
        try:
            descriptor = _opened(self._path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise RepositoryError(f"cannot open the lock {self._path}: {error.strerror}", hint=remedy(error)) from error
        give_up = time.monotonic() + wait_seconds
        while not _try_lock(descriptor):
            if time.monotonic() < give_up + _PATIENCE_SECONDS and _only_asked_for(descriptor):
                time.sleep(_READER_SECONDS)
                continue
            if time.monotonic() >= give_up:
                os.close(descriptor)
                raise LockHeldError(f"another run is at work: {describe_holder(self._path.parent)}")
            time.sleep(min(_WAIT_SECONDS, max(0.01, give_up - time.monotonic())))
        try:
            self._marker = self._lock_marker(give_up)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        self._holder = {
            "pid": os.getpid(), "job": job, "phase": "start", "started": time.time(), "started_boottime": _boottime(),
            "container": short_id(),
        }  # fmt: skip
        self._write()
        return self

    def phase(self, name: str) -> None:
        """Note what the holder is doing now."""
        self._holder["phase"] = name
        self._write()

    def release(self) -> None:
        """Let go."""
        if self._descriptor is not None:
            # A disk that has become read-only must not turn a good end into a bad one.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            if self._marker is not None:
                os.close(self._marker)
                self._marker = None
            os.close(self._descriptor)  # last: who waits for it finds the other one free
            self._descriptor = None

    def __enter__(self) -> Self:
        """Return the lock, which must have been taken."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go."""
        self.release()

    def _lock_marker(self, give_up: float) -> int | None:
        """Lock the marker, too, which is held where the lock file of a run under way was deleted or replaced.

        Raises LockHeldError, after as long as for the lock itself.
        """
        marker = self._path.with_name(MARKER_NAME)
        try:
            descriptor = os.open(marker, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None  # no repository: who needs one will say so
        try:
            give_up = max(give_up, time.monotonic() + _PATIENCE_SECONDS)  # of a dead holder, one goes before the other
            while not _try_lock(descriptor):
                if time.monotonic() >= give_up:
                    raise LockHeldError(
                        f"another run is at work, whose lock file {self._path} has been deleted or replaced meanwhile",
                        hint="wait for its end, then try again; a lock file is never stale, and need not be deleted",
                    )
                time.sleep(_PATIENCE_SECONDS / 20)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _write(self) -> None:
        if self._descriptor is None:
            return
        # The note is for people: a disk without room for it must not end a run that may be about to make room. It is
        # written over the one before in a single step, blanks included: whoever stops in between has said who it is.
        with contextlib.suppress(OSError):
            before = os.fstat(self._descriptor).st_size
            os.pwrite(self._descriptor, json.dumps(self._holder).encode().ljust(min(before, _NOTE_BYTES)), 0)


def read_holder(repository: Path) -> dict[str, Any] | None:
    """Return pid, job, phase and start (seconds since the epoch) of the run that holds the lock, or None.

    The answer is empty where somebody holds it and does not say who. Raises RepositoryError where it cannot be opened,
    PermissionError where we may not.
    """
    try:
        descriptor = _opened(repository / LOCK_NAME, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except PermissionError:
        raise
    except OSError as error:
        raise RepositoryError(
            f"cannot open the lock {repository / LOCK_NAME}: {error.strerror}", hint=remedy(error)
        ) from error
    try:
        if _try_lock(descriptor, shared=True):
            return None
        holder = json.loads(os.read(descriptor, _NOTE_BYTES) or b"{}")
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
    container = holder.get("container")
    where = f" in container {container}" if container and container != short_id() else ""
    return f"process {holder.get('pid')}{where}, job {holder.get('job')}, phase {holder.get('phase')}, since {since}"


def held_seconds(holder: dict[str, Any]) -> float:
    """Return for how long a holder has had the lock, whatever the clock has done meanwhile."""
    now, since_boot = _boottime(), holder.get("started_boottime")
    if isinstance(since_boot, int | float) and since_boot <= now:
        return now - since_boot
    return time.time() - float(holder["started"])


def _boottime() -> float:
    """Return the seconds since the host was started; its lock file cannot be older and still be held."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _opened(path: Path, how: int) -> int:
    """Open the lock's file: what the holder writes must get nowhere else, and a FIFO must keep nobody waiting.

    Raises OSError for a link of either kind, and for what is no plain file.
    """
    descriptor = os.open(path, how | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_nlink <= 1:
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is not a plain file with one name: move it away", str(path))


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
