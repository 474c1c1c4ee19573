"""A run with all that surrounds it: lock, log, time limit, dead man's switch, notifications, the status file."""

from __future__ import annotations

import logging
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tracker_backup.config.instances import conflicts, require_no_conflict
from tracker_backup.errors import (
    CopiesBehindError,
    LockHeldError,
    PrivilegeError,
    RepositoryError,
    TerminatedError,
    TrackerBackupError,
    UsageError,
    terminated,
)
from tracker_backup.health.begun import Beginning
from tracker_backup.health.gather import refresh_status
from tracker_backup.health.ping import FAILURE, START, SUCCESS, ping
from tracker_backup.health.runs import LastRun, healed
from tracker_backup.health.since import waiting_since
from tracker_backup.health.statefile import read_status
from tracker_backup.health.status import is_due
from tracker_backup.health.summary import summary
from tracker_backup.inplace import neighbours
from tracker_backup.inplace.recovery import recover_before_backup
from tracker_backup.notify.rule import Ended
from tracker_backup.notify.telling import tell_of_end
from tracker_backup.report.logged import LoggedReporter
from tracker_backup.repository.backups import run_id
from tracker_backup.repository.manifest import format_time
from tracker_backup.run.backup import BackupRun
from tracker_backup.run.outcome import Outcome, Request, Start
from tracker_backup.run.resolve import resolve_sources
from tracker_backup.run.servers import is_there
from tracker_backup.schedule.due import next_run
from tracker_backup.system.diskfaults import remedy
from tracker_backup.system.libraries import missing_library
from tracker_backup.system.logs import LOGGER, name_run, run_named, tell
from tracker_backup.system.signals import time_limit

if TYPE_CHECKING:
    from tracker_backup.config.model import Config, Job
    from tracker_backup.copies.making import Copying
    from tracker_backup.report.reporter import Reporter
    from tracker_backup.repository.store import Repository

BOOT_WAIT_SECONDS = 600
_LEAST_COPY_SECONDS = 60
"""What copies have where the backup has taken nearly all of the time there is."""
_BOOT_POLL_SECONDS = 5


class Session:
    """Runs jobs of one instance; `scheduled` runs tell the dead man's switch."""

    def __init__(self, config: Config, repository: Repository, reporter: Reporter, *, scheduled: bool) -> None:
        """Keep what the runs share."""
        self._config = config
        self._repository = repository
        self._scheduled = scheduled
        self._reporter = LoggedReporter(reporter, on_phase=repository.lock.phase)
        self._told_of: set[str] = set()

    def back_up(self, request: Request, *, wait: bool, only_if_due: bool = False) -> Outcome | None:
        """Run a job under the lock; None where `only_if_due` and nothing is due once the lock is had.

        Raises LockHeldError when another run holds the lock, with `wait` for as long as a run may take, and every
        error that ends a run early; it has been logged, pinged and put into status.json by then, unless a person
        mistyped something, or nothing had begun. All that is logged has the id of the backup that this makes; that of
        the call, until the lock is had.
        """
        with run_named(run_id(datetime.now(UTC), request.job_name)):
            return self._back_up(request, wait=wait, only_if_due=only_if_due)

    def _back_up(self, request: Request, *, wait: bool, only_if_due: bool) -> Outcome | None:
        began = False
        beginning = Beginning(self._config, request.job_name)
        try:
            require_no_conflict(self._config)  # here, so that a refusal is logged, pinged and in the status
            self._repository.require()
            wait_seconds = self._config.max_run_seconds if wait else 0
            with self._repository.lock.acquire(job=request.job_name, wait_seconds=wait_seconds):
                run = BackupRun(self._config, self._repository, self._reporter)
                start = run.begin(request)
                name_run(start.id)
                self._clear_up()
                if only_if_due and not self._due(request.job):
                    self._catch_up(request)
                    return None
                began = True
                self._note(beginning)
                return self._run(request, run, start, beginning)
        except LockHeldError as error:
            LOGGER.log(logging.ERROR if wait else logging.INFO, "%s", error.message)
            self._ping(FAILURE, str(error))
            self._notify(request, error.exit_code, str(error))
            self._write_status(None)  # a run that hangs writes none, and whoever may not look must hear of it too
            raise
        except BaseException as error:
            told = self._told(error)
            # Nobody but the log and the ping hears cron say that the volume is not mounted; a person does. And what a
            # person mistyped is no bad night: `status` would warn of it until the next one.
            mistyped = isinstance(told, UsageError)
            if self._scheduled or (began and not mistyped):
                behind = isinstance(told, CopiesBehindError)
                self._ended(request, None, told.exit_code, str(told), beginning if began else None, copies_only=behind)
            elif began:
                self._log_end(request, told.exit_code, str(told))
            raise told from error
        finally:
            try:
                beginning.forget()  # last: whatever ends this run by a word of its own has told of it by now
            except TerminatedError:
                beginning.forget()  # it came just before; there is no second one
                raise

    def wait_for_stack(self) -> None:
        """After a boot, wait for repository and databases to be mounted; what is still missing the run will tell."""
        if any(conflicts(self._config)):
            return  # the run will be refused, and what lies there may be the other instance's to clear up
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
        """Finish or undo a restore in place that died while this run waited for the lock, or another instance's.

        Raises TrackerBackupError where that cannot be done and there may be no database where one should be.
        """
        said = recover_before_backup(self._config.state_directory, self._config)
        for each in (*([] if said is None else [said]), *neighbours.clear_up(self._config)):
            if each not in self._told_of:  # after a boot this is tried again and again
                self._told_of.add(each)
                self._reporter.warn(each)

    def _catch_up(self, request: Request) -> None:
        """Copy what is missing in a copy of the job that is not due itself, while no other job has to wait for it.

        Raises CopiesBehindError where that fails, unless the job's last run has told so already: this is tried hourly.
        """
        try:
            self._repository.sweep()  # what is raw may be left of a copy, and there may be no run for days
        except RepositoryError as error:
            self._reporter.warn(str(error))
        copying = self._copied(request.job_name, self._idle_seconds())
        before = read_status(self._config.state_directory)
        last = next((run for run in before.runs if run.job == request.job_name), None) if before else None
        if copying is not None and (behind := _behind(copying)) and (last is None or last.exit_code == 0):
            raise CopiesBehindError("; ".join(behind))
        if last is not None and last.copies_only and copying is not None and not copying.troubles:
            self._ended(request, last.id, 0, healed(last, datetime.now(UTC)).message, None)
        else:
            self._write_status(None)

    def _idle_seconds(self) -> float:
        """Return how long no scheduled job begins."""
        now = datetime.now(UTC)
        schedules = [job.schedule for job in self._config.jobs if job.schedule is not None]
        left = [(next_run(schedule, now) - now).total_seconds() for schedule in schedules]
        return max(_LEAST_COPY_SECONDS, min([*left, self._config.max_run_seconds]))

    def _copied(self, job: str, seconds: float) -> Copying | None:
        """Copy a job's newest backup to where it is to be; None where no copy is configured."""
        if not self._config.copies:
            return None
        from tracker_backup.copies.making import Copying

        copying = Copying(self._config, self._repository, self._reporter)
        copying.run([job], seconds=seconds)
        return copying

    def _due(self, job: Job) -> bool:
        sets = [*self._repository.backups(), *self._repository.quarantined()]
        attempts = [item.manifest for item in sets if item.manifest is not None]
        now = datetime.now(UTC)
        since = waiting_since(self._config, self._repository.made_at(), now)
        return is_due(job, attempts, since[job.name], now)

    def _note(self, beginning: Beginning) -> None:
        """Note that the run has begun; a disk without room for it must not end a run that may be about to make room."""
        try:
            beginning.note()
        except OSError as error:
            self._reporter.warn(f"that the run has begun cannot be noted: {error.strerror}: {error.filename}")

    def _run(self, request: Request, run: BackupRun, start: Start, beginning: Beginning) -> Outcome:
        trigger = "schedule" if self._scheduled else "command"
        tell(logging.INFO, "begins", job=request.job_name, trigger=trigger)
        self._ping(START, "")
        began = time.monotonic()
        with time_limit(self._config.max_run_seconds):
            outcome = run.execute(request, start)
        if outcome.published is not None and request.sources is None:
            left = self._config.max_run_seconds - (time.monotonic() - began)
            seconds = max(_LEAST_COPY_SECONDS, min(left, self._idle_seconds()))
            if (copying := self._copied(request.job_name, seconds)) is not None:
                copied = tuple(name for _, name in copying.done)
                outcome = replace(outcome, copied=copied, uncopied=_behind(copying))
        said = summary(outcome, self._config)
        self._ended(request, outcome.id, outcome.exit_code, said, beginning, copies_only=outcome.copies_only)
        return outcome

    def _told(self, error: BaseException) -> TrackerBackupError:
        if isinstance(error, TrackerBackupError):
            return error
        if (signal := terminated(error)) is not None:
            return signal
        if isinstance(error, PermissionError):
            return PrivilegeError(f"permission denied: {error.filename or self._repository.path}")
        if isinstance(error, OSError):
            place = error.filename or self._repository.path
            return RepositoryError(f"{error.strerror or error}: {place}", hint=remedy(error))
        if isinstance(error, ModuleNotFoundError) and (missing := missing_library(error)) is not None:
            return missing
        LOGGER.info("an internal error comes from here:", exc_info=error)
        return TrackerBackupError(
            f"internal error, {type(error).__name__}: {error}", hint="please report it, with what the log says"
        )

    def _log_end(self, request: Request, exit_code: int, message: str) -> None:
        self._reporter.close()
        level = {0: logging.INFO, 3: logging.WARNING}.get(exit_code, logging.ERROR)
        tell(level, message, job=request.job_name, exit=exit_code)

    def _ended(
        self,
        request: Request,
        identifier: str | None,
        exit_code: int,
        message: str,
        beginning: Beginning | None,
        *,
        copies_only: bool = False,
    ) -> None:
        """Tell of the end in log, ping, notifications and status; `beginning` is the note of a run that had begun."""
        self._log_end(request, exit_code, message)
        self._ping(FAILURE if exit_code else SUCCESS, message)
        self._notify(request, exit_code, message)
        now = format_time(datetime.now(UTC))
        last_run = LastRun(request.job_name, identifier, now, exit_code, message, copies_only)
        self._write_status(last_run, beginning)

    def _ping(self, event: str, text: str) -> None:
        if self._config.ping_url is None or not self._scheduled:
            return
        problem = ping(self._config.ping_url, event, text)
        if problem is not None:
            LOGGER.warning("%s", problem)

    def _notify(self, request: Request, exit_code: int, message: str) -> None:
        if not self._scheduled:
            return
        now = format_time(datetime.now(UTC))
        host, instance = socket.gethostname(), self._config.instance
        tell_of_end(self._config, Ended(host, instance, request.job_name, now, exit_code, message))

    def _write_status(self, last_run: LastRun | None, beginning: Beginning | None = None) -> None:
        try:
            if beginning is not None:
                beginning.forget_dead()  # of an earlier run of this job: this one's end is what counts now
            refresh_status(self._config, self._repository, last_run)
        except (TrackerBackupError, OSError) as error:
            # The backup is made; that nobody can read so in the status is told, and is no failure of the backup.
            self._reporter.warn(f"what monitoring reads was not written: {error}")


def _behind(copying: Copying) -> tuple[str, ...]:
    """Return what a person must hear of: not what is tolerated while a young enough copy is there."""
    return tuple(f"copy {each.copy}: {each.message}" for each in copying.troubles if not each.tolerated)
