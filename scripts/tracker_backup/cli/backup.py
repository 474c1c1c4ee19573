"""--now: a backup, by hand or by cron."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.cli.context import command_line, load, reporting, repository_of, restored_to, say, warn
from tracker_backup.config.instances import require_no_conflict
from tracker_backup.errors import PartialError, TerminatedError, TrackerBackupError, UsageError
from tracker_backup.health.summary import summary
from tracker_backup.report.tables import artifact_table
from tracker_backup.run.outcome import Outcome, Request
from tracker_backup.session import Session
from tracker_backup.system.logs import LOGGER, open_journal, open_logs

if TYPE_CHECKING:
    from argparse import Namespace

    from tracker_backup.config.model import Config, Job

_LOWEST_PRIORITY = 19


def now(arguments: Namespace) -> int:
    """Back up, and say how it went: in full to a person; with --quiet, as cron calls it, only what is wrong."""
    scheduled = bool(arguments.quiet)
    config = None
    try:
        config = load(arguments)
        if arguments.rehearse:
            require_no_conflict(config)
            return _dry_run(arguments, config)
        open_logs(config.log_file, config.instance, config.log_format)
        requests = _logged_requests(arguments, config, scheduled=scheduled)
        if scheduled:
            os.nice(_LOWEST_PRIORITY)
        return _back_up(arguments, config, requests, scheduled=scheduled)
    except TrackerBackupError as error:
        if scheduled:
            _tell_journal(arguments, error)
            _name_the_place(error, arguments, config)
        raise


def _back_up(arguments: Namespace, config: Config, requests: list[Request], *, scheduled: bool) -> int:
    results: list[Outcome | TrackerBackupError | None] = []
    with reporting(arguments) as reporter:
        session = Session(config, repository_of(config), reporter, scheduled=scheduled)
        if arguments.after_boot:
            session.wait_for_stack()
        for request in requests:
            try:
                results.append(session.back_up(request, wait=arguments.wait, only_if_due=arguments.if_due))
            except TerminatedError:
                raise
            except TrackerBackupError as error:
                results.append(error)  # it costs the other jobs nothing
    return _told(config, results, quiet=arguments.quiet)


def _told(config: Config, results: list[Outcome | TrackerBackupError | None], *, quiet: bool) -> int:
    """Tell of all jobs and return the worst exit code; raises the last error, which `main` tells."""
    outcomes = [result for result in results if isinstance(result, Outcome)]
    errors = [result for result in results if isinstance(result, TrackerBackupError)]
    for outcome in outcomes:
        _tell(config, outcome, quiet=quiet)
    for error in errors[:-1]:
        warn(str(error))
    if errors:
        raise errors[-1]
    if not quiet and not outcomes:
        say("No job is due.")
    return max((outcome.exit_code for outcome in outcomes), key=_severity, default=0)


def _severity(code: int) -> tuple[bool, int]:
    return code not in (0, PartialError.exit_code), code


def _logged_requests(arguments: Namespace, config: Config, *, scheduled: bool) -> list[Request]:
    try:
        return _requests(arguments, config, scheduled=scheduled)
    except UsageError as error:
        if scheduled:
            LOGGER.error("%s", error)
        raise


def _requests(arguments: Namespace, config: Config, *, scheduled: bool) -> list[Request]:
    if arguments.if_due and (arguments.job or arguments.only_sources):
        raise UsageError("--if-due takes every job that is due, so it cannot go with --job or --source")
    if arguments.if_due:
        copied = {job.name for job in config.jobs if any(copy.takes(job.name) for copy in config.copies)}
        # A job without a schedule is never due; its copies may be.
        return [Request(job, None, scheduled) for job in config.jobs if job.schedule is not None or job.name in copied]
    job = _job(arguments, config)
    sources = None if arguments.only_sources is None else tuple(arguments.only_sources)
    if not arguments.quiet:
        chosen = f"job {job.name}" if arguments.job else f"job {job.name}, the first of {config.file}"
        say(f"{chosen}, sources {', '.join(sources)}: a manual backup" if sources else chosen)
    return [Request(job, sources, scheduled)]


def _job(arguments: Namespace, config: Config) -> Job:
    if arguments.job is None:
        return config.jobs[0]
    job = config.job(arguments.job)
    if job is None:
        names = ", ".join(job.name for job in config.jobs)
        raise UsageError(f"there is no job {arguments.job!r} in {config.file}", hint=f"there are: {names}")
    return job


def _tell(config: Config, outcome: Outcome, *, quiet: bool) -> None:
    if outcome.exit_code:
        where = f"instance {config.instance} on {socket.gethostname()}"
        warn(f"{where}: {summary(outcome, config)}\n  log: {config.log_file}")
    if quiet or outcome.published is None:
        return
    manifest = outcome.published
    phases = ", ".join(f"{name} {seconds:.1f}" for name, seconds in manifest.seconds.items())
    say(f"\n{manifest.id}: {manifest.state}, {sum(manifest.seconds.values()):.1f} s ({phases})\n")
    say(artifact_table(manifest))
    say("")
    for name in outcome.copied:
        say(f"copied to {name}")
    for identifier in outcome.pruned:
        say(f"deleted {identifier}, which its job's policy no longer keeps")
    say(f"restore it with: {command_line(config, 'restore', manifest.id, '--to', restored_to(config, manifest.id))}")


def _dry_run(arguments: Namespace, config: Config) -> int:
    from tracker_backup.health.doctor import examine_sources
    from tracker_backup.health.finding import FAIL
    from tracker_backup.run.prune import judge

    requests = _requests(arguments, config, scheduled=False)
    for request in requests:
        say(f"dry run: job {request.job_name}; nothing is written")
    chosen = [request.sources or request.job.sources for request in requests]
    wanted = None if None in chosen else tuple(dict.fromkeys(name for names in chosen for name in names or ()))
    findings = examine_sources(config, wanted)
    for finding in findings:
        say(f"{finding.level:<5} {finding.what}{f' ({finding.remedy})' if finding.remedy else ''}")
    for verdict in judge(config, repository_of(config)):
        if not verdict.keep:
            say(f"would delete {verdict.id}: {verdict.reason}")
    return 1 if any(finding.level == FAIL for finding in findings) else 0


def _name_the_place(error: TrackerBackupError, arguments: Namespace, config: Config | None) -> None:
    """Say in an error which instance and host it is about, and where to read on: it may arrive as a mail."""
    if config is None:
        instance = arguments.instance or (Path(arguments.config).stem if arguments.config else "unknown")
    else:
        instance = config.instance
        error.hint = f"{f'{error.hint}{chr(10)}  ' if error.hint else ''}log: {config.log_file}"
    error.message = f"instance {instance} on {socket.gethostname()}: {error.message}"


def _tell_journal(arguments: Namespace, error: TrackerBackupError) -> None:
    """Put into the journal what ended before the log was open: a configuration that cannot be used."""
    if not LOGGER.handlers:
        open_journal(arguments.instance or "tracker-backup")
        LOGGER.error("%s", error)
