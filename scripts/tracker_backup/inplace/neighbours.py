"""Other instances on the same stack: two restores in place of one database, or a backup amid one, must not be."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tracker_backup.config.instances import sharing
from tracker_backup.errors import LockHeldError
from tracker_backup.inplace.marker import claimed
from tracker_backup.inplace.recovery import recover_before_backup, recover_here
from tracker_backup.repository.lock import RepositoryLock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker_backup.config.model import Config


@contextmanager
def kept_out(config: Config, job: str) -> Iterator[list[str]]:
    """Keep the others from the stack, their backups too; gives what had to be finished or undone of theirs.

    Raises LockHeldError where one of them is at work, TrackerBackupError for what cannot be finished or undone.
    """
    said = []
    with ExitStack() as held:
        for other in sharing(config):
            if other.repository.is_dir():
                try:
                    held.enter_context(RepositoryLock(other.repository).acquire(job=f"{job} of {config.instance}"))
                except LockHeldError as error:
                    raise LockHeldError(f"instance {other.instance}, on the same stack: {error.message}") from error
            if not held.enter_context(claimed(other.state_directory, wait=False)):
                raise LockHeldError(f"instance {other.instance} restores on the same stack: {other.state_directory}")
            said += _of(other, recover_here(other.state_directory, other))
        yield said


def clear_up(config: Config) -> list[str]:
    """Wait for restores of the others, finish or undo those that died, and return what was done.

    Raises TrackerBackupError for what cannot be finished or undone, and matters to a backup.
    """
    return [
        said for other in sharing(config) for said in _of(other, recover_before_backup(other.state_directory, other))
    ]


def _of(other: Config, said: str | None) -> list[str]:
    return [] if said is None else [f"instance {other.instance}: {said}"]
