"""--now: a backup, by hand or by cron."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from tracker_backup.cli.context import command_line, load, reporting, repository_of, say, warn
from tracker_backup.errors import TrackerBackupError, UsageError
from tracker_backup.report.tables import artifact_table
from tracker_backup.run.backup import Outcome, Request
from tracker_backup.session import Session, summary
from tracker_backup.system.logs import LOGGER, open_journal, open_logs

if TYPE_CHECKING:
    from argparse import Namespace

    from tracker_backup.config.model import Config, Job

_LOWEST_PRIORITY = 19


def now(arguments: Namespace) -> int:
    """Back up, and say how it went: in full to a person; with --quiet, as cron calls it, only what is wrong."""
    scheduled = bool(arguments.quiet)
    try:
        config = load(arguments)
        if arguments.dry_run:
            return _dry_run(arguments, config)
        open_logs(config.log_file, config.instance)
        if scheduled:
            os.nice(_LOWEST_PRIORITY)
        return _back_up(arguments, config, scheduled=scheduled)
    except TrackerBackupError as error:
        if scheduled:
            _tell_journal(arguments, error)
            error.message = f"{_subject(arguments)}: {error.message}"  # cron's mail must say which host this is
        raise


def _back_up(arguments: Namespace, config: Config, *, scheduled: bool) -> int:
    requests = _requests(arguments, config, scheduled=scheduled)
    codes = [0]
    with reporting(arguments) as reporter:
        session = Session(config, repository_of(config), reporter, scheduled=scheduled)
        if arguments.after_boot:
            session.wait_for_stack()
        outcomes = [session.back_up(request, wait=arguments.wait, only_if_due=arguments.if_due) for request in requests]
    for outcome in outcomes:
        if outcome is not None:
            codes.append(outcome.exit_code)
            _tell(config, outcome, quiet=arguments.quiet)
    if not arguments.quiet and not any(outcomes):
        say("No job is due.")
    return max(codes)


def _requests(arguments: Namespace, config: Config, *, scheduled: bool) -> list[Request]:
    if arguments.if_due and (arguments.job or arguments.source):
        raise UsageError("--if-due takes every job that is due, so it cannot go with --job or --source")
    if arguments.if_due:
        return [Request(job, None, scheduled) for job in config.jobs if job.schedule is not None]
    job = _job(arguments, config)
    sources = None if arguments.source is None else tuple(arguments.source)
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
        warn(f"{where}: {summary(outcome)}\n  log: {config.log_file}")
    if quiet or outcome.published is None:
        return
    manifest = outcome.published
    phases = ", ".join(f"{name} {seconds:.1f}" for name, seconds in manifest.seconds.items())
    say(f"\n{manifest.id}: {manifest.state}, {sum(manifest.seconds.values()):.1f} s ({phases})\n")
    say(artifact_table(manifest))
    say("")
    for identifier in outcome.pruned:
        say(f"deleted {identifier}, which its job's policy no longer keeps")
    say(f"restore it with: {command_line(config, 'restore', manifest.id, '--to', './restored')}")


def _dry_run(arguments: Namespace, config: Config) -> int:
    from tracker_backup.health.doctor import FAIL, examine_sources
    from tracker_backup.run.prune import judge

    for request in _requests(arguments, config, scheduled=False):
        say(f"dry run: job {request.job_name}; nothing is written")
    findings = examine_sources(config)
    for finding in findings:
        say(f"{finding.level:<5} {finding.what}{f' ({finding.remedy})' if finding.remedy else ''}")
    for verdict in judge(config, repository_of(config)):
        if not verdict.keep:
            say(f"would delete {verdict.id}: {verdict.reason}")
    return 1 if any(finding.level == FAIL for finding in findings) else 0


def _subject(arguments: Namespace) -> str:
    return f"instance {arguments.instance or arguments.config or 'default'} on {socket.gethostname()}"


def _tell_journal(arguments: Namespace, error: TrackerBackupError) -> None:
    """Put into the journal what ended before the log was open: a configuration that cannot be used."""
    if not LOGGER.handlers:
        open_journal(arguments.instance or "tracker-backup")
        LOGGER.error("%s", error)
