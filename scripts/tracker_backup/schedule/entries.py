"""Which crontab entries an instance needs. Pure: names, times and paths in, entries or complaints out."""

from __future__ import annotations

import re
import shlex
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from tracker_backup.errors import ConfigurationError
from tracker_backup.schedule import expression

MAXIMUM_COMMAND = 900
"""Characters of a command. Debian's cron ignores a whole file when one command has about a thousand."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


@dataclass(frozen=True)
class ScheduledJob:
    """A job of the configuration, as far as cron is concerned."""

    name: str
    schedule: str


@dataclass(frozen=True)
class Entry:
    """A line of a crontab: when, what, and in `label` what for ("job daily")."""

    label: str
    schedule: str
    command: str


def build_entries(
    instance: str, jobs: Sequence[ScheduledJob], *, command: str, arguments: Sequence[str] | None = None
) -> tuple[Entry, ...]:
    """Return an instance's entries: one for each job, an hourly one that catches up, and one after a boot.

    `command` is the launcher's absolute path; `arguments` say which configuration it takes, `--instance NAME` if
    None. Without jobs there is nothing to catch up with, and no entries.

    Raises ConfigurationError that lists everything cron could not take.
    """
    words = (command, *(("--instance", instance) if arguments is None else arguments))
    complaints = [*_complaints_about_names(instance, jobs), *_complaints_about_words(words)]
    complaints += [
        f'job {job.name}: schedule "{job.schedule}": {wrong}'
        for job in jobs
        if (wrong := expression.schedule_problem(job.schedule)) is not None
    ]
    if complaints:
        raise ConfigurationError("the schedule cannot be put into a crontab:\n  " + "\n  ".join(complaints))
    if not jobs:
        return ()
    entries = _entries(instance, jobs, shlex.join(words))
    _refuse_long_commands(entries)
    return entries


def user_problem(user: str) -> str | None:
    """Say what is wrong with the spelling of a user's name; None when a crontab line can hold it."""
    return None if _USER.fullmatch(user) else f"{user!r} is not a user name that a crontab line can hold"


def catch_up_minute(instance: str, jobs: Sequence[ScheduledJob]) -> int:
    """Return the minute of the hourly entry: always the same for an instance, and none at which a job starts.

    Where the jobs start at every minute, a collision is harmless: runs wait for one another.
    """
    taken = frozenset[int]().union(*(expression.minutes(job.schedule) for job in jobs))
    first = zlib.crc32(instance.encode()) % 60
    return next((minute % 60 for minute in range(first, first + 60) if minute % 60 not in taken), first)


def _entries(instance: str, jobs: Sequence[ScheduledJob], launcher: str) -> tuple[Entry, ...]:
    for_jobs = (
        Entry(
            f"job {job.name}",
            expression.normalized(job.schedule),
            f"{launcher} --now --job {job.name} --wait --quiet",
        )
        for job in jobs
    )
    if_due = f"{launcher} --now --if-due --wait --quiet"
    hourly = Entry("what was missed or failed", f"{catch_up_minute(instance, jobs)} * * * *", if_due)
    return (*for_jobs, hourly, Entry("after a boot", "@reboot", f"{if_due} --after-boot"))


def _complaints_about_names(instance: str, jobs: Sequence[ScheduledJob]) -> list[str]:
    rule = "use up to 32 of a-z, 0-9 and -, beginning with a letter or digit"
    names = [("instance", instance), *(("job", job.name) for job in jobs)]
    complaints = [f"{kind} {name!r}: {rule}" for kind, name in names if not _NAME.fullmatch(name)]
    doubled = sorted({job.name for job in jobs if sum(other.name == job.name for other in jobs) > 1})
    return complaints + [f"job {name!r}: the name is there more than once" for name in doubled]


def _complaints_about_words(words: Sequence[str]) -> list[str]:
    complaints = [] if words[0].startswith("/") else [f"command {words[0]!r}: cron needs an absolute path"]
    for word in words:
        if not word.isprintable():
            complaints.append(f"command {word!r}: it holds a line break or another control character")
        elif set(word) & set("%#"):
            # Cron ends a command at %, and python-crontab takes the rest after # for a remark.
            complaints.append(f"command {word!r}: cron cannot hold % or # in a command; choose another path")
    return complaints


def _refuse_long_commands(entries: Sequence[Entry]) -> None:
    for entry in entries:
        if len(entry.command.encode()) > MAXIMUM_COMMAND:
            raise ConfigurationError(
                f"the crontab command of {entry.label} has {len(entry.command.encode())} characters, "
                f"more than the {MAXIMUM_COMMAND} that cron surely takes",
                hint="use a shorter path for the command or the configuration",
            )
