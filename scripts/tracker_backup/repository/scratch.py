"""Directories in staging that are no run's: a reader's, and that of a copy.

A reader, which holds no lock, unpacks there what it looks at; it is known as left behind once its process is gone. A
copy is made under the lock: whoever has that, and finds one, finds one that was left behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.errors import RepositoryError
from tracker_backup.repository.backups import ID, is_backup_directory
from tracker_backup.system.diskfaults import remedy
from tracker_backup.system.files import make_private_directory, remove_tree, unused_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = ".scratch-"
_RAW = ".copy-"
_NAMED = 4  # namespace, process, its beginning, and what nothing else is called
_LOCKED_AFTER_SECONDS = 60


@contextmanager
def scratch(staging: Path) -> Iterator[Path]:
    """Give a private directory in staging.

    Raises RepositoryError when it cannot be made.
    """
    ours = os.getpid()
    with contextlib.suppress(OSError):  # where it is no instance's staging no run ever sweeps
        for entry in staging.iterdir():
            if is_scratch(entry) and is_abandoned(entry):
                remove_tree(entry)
    directory = _made(staging / f"{_PREFIX}{_namespace()}-{ours}-{_begun(ours)}-{unused_name()}")
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # for those who do not see our process: in another container
        yield directory
    finally:
        remove_tree(directory)
        os.close(descriptor)


@contextmanager
def raw(staging: Path, job: str) -> Iterator[Path]:
    """Give a private directory for a raw backup of a job; restic and borg know by its name what to compare it with.

    Raises RepositoryError when it cannot be made.
    """
    directory = _made(staging / f"{_RAW}{job}")
    try:
        yield directory
    finally:
        with contextlib.suppress(OSError):  # what cannot be removed the next run's sweep takes
            remove_tree(directory)


def _made(directory: Path) -> Path:
    """Make a directory anew, and return it."""
    try:
        remove_tree(directory)
        make_private_directory(directory)
    except OSError as error:
        raise RepositoryError(f"cannot make {directory}: {error.strerror}", hint=remedy(error)) from error
    return directory


def is_left_over(entry: Path) -> bool:
    """Return whether something in staging is ours, and of nobody who is at work, as far as the lock's holder can tell.

    What has a manifest is a backup, wherever `staging` may point by mistake.
    """
    if is_scratch(entry):
        return is_abandoned(entry)
    if is_raw(entry):
        return True
    ours = entry.is_symlink() or entry.is_dir()
    return ours and ID.fullmatch(entry.name) is not None and not is_backup_directory(entry)


def is_raw(entry: Path) -> bool:
    """Return whether it is a directory for a copy, by its name."""
    return entry.name.startswith(_RAW)


def is_scratch(entry: Path) -> bool:
    """Return whether it is such a directory, by its name."""
    return entry.name.startswith(_PREFIX)


def is_abandoned(entry: Path) -> bool:
    """Return whether the process that made such a directory is gone.

    Of one in another container, whose processes we do not see, the lock tells, once it has had the time to take it.
    """
    named = entry.name.removeprefix(_PREFIX).split("-")
    if len(named) < _NAMED:  # by an earlier version, on a host
        return _begun(named[0]) not in named[1:]
    namespace, process, begun = named[: _NAMED - 1]
    if namespace == _namespace():
        return _begun(process) != begun
    try:
        descriptor = os.open(entry, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return True  # none that we have made, or gone at this moment
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return time.time() - os.fstat(descriptor).st_ctime > _LOCKED_AFTER_SECONDS
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)


def _namespace() -> str:
    """Return the number of our namespace of processes."""
    return str(Path("/proc/self/ns/pid").stat().st_ino)


def _begun(process: int | str) -> str | None:
    """Return when a process has begun, in clock ticks since the boot: its number may be another one's later."""
    try:
        stat = Path("/proc", str(process), "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return stat.rpartition(")")[2].split()[19]
