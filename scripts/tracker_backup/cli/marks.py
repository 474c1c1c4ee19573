"""keep, unkeep and accept: what a person says about a backup; it stands in a file of its own in the backup."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker_backup.cli.context import load, repository_of, say, warn
from tracker_backup.errors import RepositoryError
from tracker_backup.repository.store import Repository

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable


def keep(arguments: Namespace) -> int:
    """Pin a backup."""
    return _mark(arguments, Repository.keep, "pinned: no policy deletes it", "is pinned already")


def unkeep(arguments: Namespace) -> int:
    """Give a pinned backup back to the policy of its job."""
    return _mark(arguments, Repository.unkeep, "no longer pinned: its job's policy holds again", "is not pinned")


def accept(arguments: Namespace) -> int:
    """Say that a backup's sudden drop in size is right."""
    done = "accepted: it counts again, and so do those of its size that follow"
    return _mark(arguments, Repository.accept, done, "is accepted already")


def _mark(arguments: Namespace, act: Callable[[Repository, str], bool], done: str, unchanged: str) -> int:
    """Put a mark, or take it away, under the lock; the first word says whether something changed."""
    from tracker_backup.health.gather import refresh_status

    config = load(arguments)
    repository = repository_of(config)
    repository.require()
    with repository.lock.acquire(job=arguments.chosen):
        changed = act(repository, arguments.id)
        try:
            refresh_status(config, repository)
        except (RepositoryError, OSError) as error:
            warn(f"what monitoring reads was not written: {error}")
    if not arguments.quiet:
        said = f"{arguments.id} {done}" if changed else f"{arguments.id} {unchanged}"
        say(f"{'changed' if changed else 'unchanged'}: {said}")
    return 0
