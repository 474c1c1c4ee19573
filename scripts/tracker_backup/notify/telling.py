"""Tell of a run's end, and remember what came of it. Nothing in here ever fails a run."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tracker_backup.errors import TerminatedError, TrackerBackupError
from tracker_backup.notify.addresses import read_addresses
from tracker_backup.notify.memory import Memory, read_memory, write_memory
from tracker_backup.notify.rule import trial, words, worth_telling
from tracker_backup.notify.sending import SECONDS, send
from tracker_backup.repository.manifest import format_time
from tracker_backup.system.logs import LOGGER, tell

if TYPE_CHECKING:
    from tracker_backup.config.model import Config, NotificationSettings
    from tracker_backup.notify.rule import Ended, Note
    from tracker_backup.notify.sending import Verdict


def tell_of_end(config: Config, ended: Ended) -> None:
    """Send what the configuration asks for about a scheduled run; that it cannot be sent is logged and remembered."""
    settings = config.notifications
    if settings is None:
        return
    before = read_memory(config.state_directory)
    was_bad = ended.job in before.bad
    others = [job for job in before.bad if job != ended.job]
    after = replace(before, bad=others if ended.well else [*others, ended.job])
    if worth_telling(settings.when, ended_well=ended.well, was_bad=was_bad):
        status = config.command_line("status", sudo=True)
        note = words(ended, was_bad=was_bad, log=str(config.log_file), status_command=status)
        verdicts, problem = _attempt(settings, note)
        after = _with_problem(after, before, problem)
        if ended.well and was_bad and not any(verdict.sent for verdict in verdicts):
            after = replace(after, bad=before.bad)  # nobody has heard of the recovery: the next good run tells it
    _remember(config, before, after)


def try_out(config: Config, settings: NotificationSettings, host: str) -> tuple[Verdict, ...]:
    """Send a message to each address and return what came of it; a problem from before is over when all took it.

    Raises ConfigurationError where the addresses cannot be used, CommandError where Apprise cannot.
    """
    note = trial(host, config.instance, format_time(datetime.now(UTC)))
    verdicts = send(read_addresses(settings.urls_file), note)
    before = read_memory(config.state_directory)
    _remember(config, before, _with_problem(before, before, _problem_of(verdicts)))
    return verdicts


def problem_words(config: Config) -> str | None:
    """Say why nothing gets through, since when, and what to do; None where all is well, or nobody is to be told."""
    if config.notifications is None:
        return None
    memory = read_memory(config.state_directory)
    if memory.problem is None:
        return None
    remedy = f"see whether it is put right with: {config.command_line('notify', '--test', sudo=True)}"
    return f"notifications do not arrive, since {memory.since}: {memory.problem}; {remedy}"


def _attempt(settings: NotificationSettings, note: Note) -> tuple[tuple[Verdict, ...], str | None]:
    try:
        verdicts = send(read_addresses(settings.urls_file), note, seconds=SECONDS)
    except TerminatedError:
        raise
    except (TrackerBackupError, OSError, ModuleNotFoundError) as error:
        problem = "; ".join(line.strip() for line in str(error).splitlines())
        LOGGER.warning("the notification was not sent: %s", problem)
        return (), problem
    for verdict in verdicts:
        facts = {"notification": "sent" if verdict.sent else "unsent"}
        tell(logging.INFO if verdict.sent else logging.WARNING, str(verdict), **facts)
    return verdicts, _problem_of(verdicts)


def _problem_of(verdicts: tuple[Verdict, ...]) -> str | None:
    return ", ".join(str(verdict) for verdict in verdicts if not verdict.sent) or None


def _with_problem(memory: Memory, before: Memory, problem: str | None) -> Memory:
    """Return the memory with what is wrong now; since when is not forgotten while something is."""
    if problem is None:
        return replace(memory, problem=None, since=None)
    return replace(memory, problem=problem, since=before.since or format_time(datetime.now(UTC)))


def _remember(config: Config, before: Memory, after: Memory) -> None:
    if after == before:
        return
    try:
        write_memory(config.state_directory, after)
    except OSError as error:
        LOGGER.warning("what became of a notification cannot be noted: %s: %s", error.strerror, error.filename)
