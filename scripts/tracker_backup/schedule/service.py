"""The schedule as the rest of the program sees it: apply, remove, inspect."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from tracker_backup.config.model import Config
from tracker_backup.errors import ConfigurationError
from tracker_backup.schedule import journal
from tracker_backup.schedule.entries import Entry, ScheduledJob, build_entries, user_problem
from tracker_backup.schedule.targets.cron_directory import CRON_DIRECTORY, CronDirectory
from tracker_backup.schedule.targets.interface import Target
from tracker_backup.schedule.targets.plain_file import PlainFile
from tracker_backup.schedule.targets.program import SPOOL
from tracker_backup.schedule.targets.user_table import UserCrontab


@dataclass(frozen=True)
class ScheduleState:
    """What stands in the crontab: where, whether at all, whether as it should, what is wrong, what should stand."""

    where: str
    present: bool
    matches: bool
    problems: tuple[str, ...]
    entries: tuple[Entry, ...]


def entries_of(config: Config) -> tuple[Entry, ...]:
    """Return the crontab entries that a configuration asks for; a job without a schedule has none.

    Raises ConfigurationError that lists everything cron could not take.
    """
    jobs = [ScheduledJob(job.name, job.schedule) for job in config.jobs if job.schedule is not None]
    if (wrong := user_problem(config.schedule.user)) is not None:
        raise ConfigurationError(f"schedule.user: {wrong}")
    command = str(config.schedule.command)
    return build_entries(config.instance, jobs, command=command, arguments=config.arguments())


def target_of(config: Config) -> Target:
    """Return the place that `schedule.target` names.

    Raises ConfigurationError when it names none.
    """
    name, user = config.schedule.target, config.schedule.user
    if name == "cron.d":
        return CronDirectory(config.instance, user, directory=CRON_DIRECTORY, mailto=config.schedule.mailto)
    if name == "crontab":
        return UserCrontab(config.instance, user)
    if name.startswith("/"):
        return PlainFile(config.instance, Path(name))
    raise ConfigurationError(f"schedule.target: {name!r} is neither cron.d, crontab nor an absolute path")


def apply(config: Config, *, dry_run: bool = False) -> bool:
    """Put the configuration's entries in place; return whether something had to change.

    Entries that an earlier `schedule.target` left behind are removed, or each job would run twice. With `dry_run`
    nothing changes, and the answer says whether it would have.

    Raises ConfigurationError, PrivilegeError or ScheduleError; the crontab is as it was, then.
    """
    changed = target_of(config).apply(entries_of(config), dry_run=dry_run)
    return _remove_left_behind(config, dry_run=dry_run) or changed


def remove(config: Config, *, dry_run: bool = False) -> bool:
    """Take the instance's entries out; return whether there were any. Needs no valid schedule.

    Raises ConfigurationError, PrivilegeError or ScheduleError; the crontab is as it was, then.
    """
    changed = target_of(config).remove(dry_run=dry_run)
    return _remove_left_behind(config, dry_run=dry_run) or changed


def inspect(config: Config) -> ScheduleState:
    """Compare what stands in the crontab with what should.

    Raises ConfigurationError, PrivilegeError (a user's table, without root) or ScheduleError.
    """
    entries, target = entries_of(config), target_of(config)
    state = target.inspect(entries)
    doubled = tuple(
        f"{old.where}: entries of {config.instance} stand there as well; `schedule apply` removes them"
        for old in _left_behind(config)
    )
    return ScheduleState(target.where, state.present, state.matches, (*state.problems, *doubled), entries)


def refusals(config: Config) -> tuple[str, ...]:
    """Return what the cron daemon has logged against our file in /etc/cron.d; for `doctor`.

    Raises CommandError when the journal cannot be read in time.
    """
    target = target_of(config)
    return journal.refusals(target.path) if isinstance(target, CronDirectory) else ()


def _remove_left_behind(config: Config, *, dry_run: bool) -> bool:
    removed = [old.remove(dry_run=dry_run) for old in _left_behind(config)]
    return any(removed)


def _left_behind(config: Config) -> list[Target]:
    """Return the other targets that call this very configuration; of another launcher they are not ours."""
    files = {"cron.d": CRON_DIRECTORY / f"tracker-backup-{config.instance}", "crontab": SPOOL / config.schedule.user}
    call = shlex.join([str(config.schedule.command), *config.arguments(), "--now"]).encode()
    return [
        target_of(replace(config, schedule=replace(config.schedule, target=name)))
        for name, file in files.items()
        if name != config.schedule.target and os.access(file, os.R_OK) and call in file.read_bytes()
    ]
