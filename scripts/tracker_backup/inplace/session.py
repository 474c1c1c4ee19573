"""A restore in place with all that surrounds it: the locks, what a dead one has left, the log, the time limit."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from tracker_backup.errors import LockHeldError, RestoreError, SourceError
from tracker_backup.inplace.engine import Done, Engine
from tracker_backup.inplace.marker import claimed
from tracker_backup.inplace.neighbours import kept_out
from tracker_backup.inplace.recovery import recover_here
from tracker_backup.inplace.registry import ORDER, make_replacement
from tracker_backup.inplace.site import Site
from tracker_backup.report.logged import LoggedReporter
from tracker_backup.repository.lock import RepositoryLock
from tracker_backup.run.restore import chosen_artifacts
from tracker_backup.system.logs import LOGGER

if TYPE_CHECKING:
    from tracker_backup.config.model import Config
    from tracker_backup.inplace.interface import Replacement, Wishes
    from tracker_backup.report.reporter import Reporter
    from tracker_backup.repository.store import Backup

JOB = "restore --in-place"
"""What stands in the lock as the job."""


def restore_in_place(backup: Backup, config: Config | None, wishes: Wishes, reporter: Reporter) -> Done:
    """Put sources of a backup in the place of the live ones, or leave everything as it was.

    Raises LockHeldError while a backup or another restore is under way, and every error that ended it.
    """
    lock = None if config is None or not config.repository.is_dir() else RepositoryLock(config.repository)
    told = LoggedReporter(reporter, on_phase=(lambda _: None) if lock is None else lock.phase)
    login = wishes.mysql_user, wishes.mysql_password_file
    site = Site(backup, told, config, wishes.paths, wishes.discard_current, *login)
    with ExitStack() as held:
        if lock is not None:
            held.enter_context(lock.acquire(job=JOB))
        if not held.enter_context(claimed(site.state_directory, wait=False)):
            raise LockHeldError(f"another restore in place is at work: {site.state_directory}")
        said = recover_here(site.state_directory, config)
        others = [] if config is None else held.enter_context(kept_out(config, JOB))
        for each in (*([] if said is None else [said]), *others):
            told.warn(each)
        LOGGER.info("restore of %s in place begins", backup.id)
        try:
            done = Engine(site, _replacements(site, wishes), wishes).run()
        except SourceError as error:
            raise RestoreError(error.message, hint=error.hint) from error
        finally:
            told.close()
    return done


def _replacements(site: Site, wishes: Wishes) -> list[Replacement]:
    artifacts = chosen_artifacts(site.backup, wishes.sources, wishes.paths)
    artifacts.sort(key=lambda each: ORDER.index(each.type) if each.type in ORDER else len(ORDER))
    return [make_replacement(each.type, site, each.source, each) for each in artifacts]
