"""A run with all that surrounds it: the lock, the log, the time limit, the dead man's switch, the status file."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tracker_backup.errors import LockHeldError, PrivilegeError, RepositoryError, TrackerBackupError, UsageError
from tracker_backup.health.gather import refresh_status
from tracker_backup.health.ping import FAILURE, START, SUCCESS, ping
from tracker_backup.health.runs import LastRun
from tracker_backup.health.since import first_seen
from tracker_backup.health.status import is_due
from tracker_backup.inplace.recovery import recover
from tracker_backup.report.logged import LoggedReporter
from tracker_backup.repository.manifest import format_time
from tracker_backup.run.backup import BackupRun
from tracker_backup.run.outcome import Outcome, Request
from tracker_backup.run.resolve import resolve_sources
from tracker_backup.run.servers import is_there
from tracker_backup.run.sizes import drop_words
from tracker_backup.system.logs import LOGGER
from tracker_backup.system.signals import time_limit
from tracker_backup.system.space import format_bytes

if TYPE_CHECKING:
    from tracker_backup.config.model import Config, Job
    from tracker_backup.report.reporter import Reporter
    from tracker_backup.repository.store import Repository

BOOT_WAIT_SECONDS = 600
_BOOT_POLL_SECONDS = 5


class Session:
    """Runs jobs of one instance; `scheduled` runs tell the dead man's switch."""

    def __init__(self, config: Config, repository: Repository, reporter: Reporter, *, scheduled: bool) -> None:
        """Keep what the runs share."""
        self._config = config
        self._repository = repository
        self._scheduled = scheduled
        self._reporter = LoggedReporter(reporter, on_phase=repository.lock.phase)

    def back_up(self, request: Request, *, wait: bool, only_if_due: bool = False) -> Outcome | None:
        """Run a job under the lock; None where `only_if_due` and nothing is due once the lock is had.

        Raises LockHeldError when another run holds the lock, with `wait` for as long as a run may take, and every
        error that ends a run early; it has been logged, pinged and put into status.json by then, unless a person
        mistyped something, or nothing had begun.
        """
        began = False
        try:
            self._repository.require()
            wait_seconds = self._config.max_run_seconds if wait else 0
            with self._repository.lock.acquire(job=request.job_name, wait_seconds=wait_seconds):
                self._clear_up()
                if only_if_due and not self._due(request.job):
                    self._write_status(None)
                    return None
                began = True
                return self._run(request)
        except LockHeldError as error:
            LOGGER.log(logging.ERROR if wait else logging.INFO, "%s", error.message)
            self._ping(FAILURE, str(error))
            self._write_status(None)  # a run that hangs writes none, and whoever may not look must hear of it too
            raise
        except BaseException as error:
            told = self._told(error)
            # Nobody but the log and the ping hears cron say that the volume is not mounted; a person does. And what a
            # person mistyped is no bad night: `status` would warn of it until the next one.
            mistyped = isinstance(told, UsageError)
            if self._scheduled or (began and not mistyped):
                self._ended(request, None, told.exit_code, str(told))
            raise told from error

    def wait_for_stack(self) -> None:
        """After a boot, wait for repository and databases to be mounted; what is still missing the run will tell."""
        give_up = time.monotonic() + BOOT_WAIT_SECONDS
        while not self._is_there() and time.monotonic() < give_up:
            time.sleep(_BOOT_POLL_SECONDS)

    def _is_there(self) -> bool:
        try:
            self._clear_up()
            self._repository.require()
            return all(is_there(source) for source in resolve_sources(self._config).sources)
        except TrackerBackupError:
            return False

    def _clear_up(self) -> None:
        """Finish or undo a restore in place that died while this run waited for the lock.

        Raises TrackerBackupError where that cannot be done: there may be no database where one should be.
        """
        said = recover(self._config.state_directory, self._config, wait=True)
        if said is not None:
            self._reporter.warn(said)

    def _due(self, job: Job) -> bool:
        sets = [*self._repository.backups(), *self._repository.quarantined()]
        attempts = [item.manifest for item in sets if item.manifest is not None]
        now = datetime.now(UTC)
        since = max(self._repository.made_at(), first_seen(self._config, now)[job.name])
        return is_due(job, attempts, since, now)

    def _run(self, request: Request) -> Outcome:
        LOGGER.info("job=%s trigger=%s begins", request.job_name, "schedule" if self._scheduled else "command")
        self._ping(START, "")
        with time_limit(self._config.max_run_seconds):
            outcome = BackupRun(self._config, self._repository, self._reporter).execute(request)
        self._ended(request, outcome.id, outcome.exit_code, summary(outcome, self._config))
        return outcome

    def _told(self, error: BaseException) -> TrackerBackupError:
        if isinstance(error, TrackerBackupError):
            return error
        if isinstance(error, PermissionError):
            return PrivilegeError(f"permission denied: {error.filename or self._repository.path}")
        if isinstance(error, OSError):
            return RepositoryError(f"{error.strerror or error}: {error.filename or self._repository.path}")
        LOGGER.info("an internal error comes from here:", exc_info=error)
        return TrackerBackupError(
            f"internal error, {type(error).__name__}: {error}", hint="please report it, with what the log says"
        )

    def _ended(self, request: Request, identifier: str | None, exit_code: int, message: str) -> None:
        self._reporter.close()
        level = {0: logging.INFO, 3: logging.WARNING}.get(exit_code, logging.ERROR)
        LOGGER.log(level, "job=%s exit=%d %s", request.job_name, exit_code, message)
        self._ping(FAILURE if exit_code else SUCCESS, message)
        self._write_status(LastRun(request.job_name, identifier, format_time(datetime.now(UTC)), exit_code, message))

    def _ping(self, event: str, text: str) -> None:
        if self._config.ping_url is None or not self._scheduled:
            return
        problem = ping(self._config.ping_url, event, text)
        if problem is not None:
            LOGGER.warning("%s", problem)

    def _write_status(self, last_run: LastRun | None) -> None:
        try:
            refresh_status(self._config, self._repository, last_run)
        except (TrackerBackupError, OSError) as error:
            # The backup is made; that nobody can read so in the status is told, and is no failure of the backup.
            self._reporter.warn(f"status.json was not written: {error}")


def summary(outcome: Outcome, config: Config) -> str:
    """Say in a sentence how a run ended."""
    published = outcome.published
    failures = "; ".join(f"{failure.source}: {failure.message}" for failure in outcome.failures)
    if published is None:
        kept = f"; the damaged copy is in quarantine as {outcome.id}" if outcome.quarantined is not None else ""
        return f"nothing was published: {failures}{kept}"
    sizes = f"{format_bytes(published.raw_bytes)} raw, {format_bytes(published.bytes)} stored"
    said = f"{published.id} {published.state}, {sizes}, {sum(published.seconds.values()):.1f} s"
    if published.doubtful:
        accepting = config.command_line("accept", published.id, sudo=True)
        small = ", ".join(drop_words(artifact) for artifact in published.doubtful)
        said += f"; {small}: it counts for nothing and displaces nothing until {accepting}"
    if outcome.unpruned is not None:
        said += f"; old backups were not deleted: {outcome.unpruned}"
    return f"{said}; missing: {failures}" if failures else said
