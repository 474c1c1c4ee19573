"""Delete what the jobs' policies no longer keep; the same decision for a run, for `prune` and for a dry run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tracker_backup.repository.retention import Verdict, decide

if TYPE_CHECKING:
    from tracker_backup.config.model import Config
    from tracker_backup.repository.store import Repository


def judge(config: Config, repository: Repository, now: datetime | None = None) -> list[Verdict]:
    """Return a verdict for every backup, oldest first, then those that cannot be read: these are never deleted."""
    policies = {job.name: job.keep for job in (*config.jobs, *config.others)}
    backups = repository.backups()
    readable = [backup.manifest for backup in backups if backup.manifest is not None]
    unreadable = [
        Verdict(backup.id, keep=True, reason=f"it cannot be read: {backup.problem}")
        for backup in backups
        if backup.manifest is None
    ]
    return [*decide(readable, policies, now or datetime.now(UTC)), *unreadable]


def prune(config: Config, repository: Repository, now: datetime | None = None) -> list[Verdict]:
    """Delete what is condemned, under the caller's lock, and return the verdicts.

    Raises RepositoryError when something cannot be deleted.
    """
    verdicts = judge(config, repository, now)
    repository.remove([verdict.id for verdict in verdicts if not verdict.keep])
    return verdicts
