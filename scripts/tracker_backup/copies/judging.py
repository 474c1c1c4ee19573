"""Which backups are to be copied now, and which copies are behind: pure functions of what was noted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tracker_backup.copies.interface import started
from tracker_backup.repository.manifest import parse_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker_backup.config.model import Config, CopySettings
    from tracker_backup.copies.notes import CheckNote, CopyNote, CopyNotes
    from tracker_backup.repository.manifest import Manifest

GRACE = timedelta(hours=2)
"""How long a backup may wait for its copy before anybody is told, where no copy of it has failed."""

_PERIODS = {"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
"""How a period is written that a moment in UTC lies in; weeks are those of ISO 8601."""
_MOST_TEXT = 300


@dataclass(frozen=True)
class CopyStatus:
    """A job's newest backup in a copy, and whether one is missing there that should be; times in UTC (RFC 3339)."""

    name: str
    job: str
    backup: str | None
    copied_at: str | None
    behind: bool
    problem: str | None


def newest_of(job: str, manifests: Sequence[Manifest], now: datetime) -> Manifest | None:
    """Return a job's newest backup that is worth a copy: complete, verified unless no check was asked for."""
    good = [item for item in manifests if item.job == job and not item.manual and item.good and item.started <= now]
    return max(good, key=lambda item: (item.started, item.sequence, item.id), default=None)


def is_due(settings: CopySettings, note: CopyNote, newest: Manifest | None) -> bool:
    """Return whether a job's newest backup is to be copied, once for each period."""
    if newest is None or newest.id == note.backup:
        return False
    # One from a clock that was ahead would be the newest for as long as it was ahead.
    if note.backup is None or settings.every == "run" or started(note.backup) > newest.started:
        return True
    form = _PERIODS[settings.every]
    return f"{newest.started:{form}}" > f"{started(note.backup):{form}}"


def is_check_due(settings: CopySettings, note: CheckNote, now: datetime) -> bool:
    """Return whether a copy is to be checked; one whose last check has found something always is."""
    if settings.check == "never":
        return False
    if note.checked_at is None or note.problem is not None:
        return True
    form = _PERIODS[settings.check]
    return f"{now:{form}}" != f"{parse_time(note.checked_at):{form}}"


def is_tolerated(settings: CopySettings, note: CopyNote, now: datetime) -> bool:
    """Return whether the copy that is there is young enough for a failure to be no more than logged."""
    if note.backup is None:
        return False
    return timedelta(0) <= now - started(note.backup) < timedelta(seconds=settings.tolerate_seconds)


def copy_statuses(config: Config, notes: CopyNotes, manifests: Sequence[Manifest], now: datetime) -> list[CopyStatus]:
    """Return how each copy of each job stands."""
    return [
        _status(settings, notes.of(settings, job.name), newest_of(job.name, manifests, now), now)
        for settings in config.copies
        for job in config.jobs
        if settings.takes(job.name)
    ]


def _status(settings: CopySettings, note: CopyNote, newest: Manifest | None, now: datetime) -> CopyStatus:
    due = newest is not None and is_due(settings, note, newest)
    waited = newest is not None and now - parse_time(newest.finished_at) > GRACE
    behind = due and (note.problem is not None or waited) and not is_tolerated(settings, note, now)
    return CopyStatus(note.copy, note.job, note.backup, note.copied_at, behind, note.problem if due else None)


def copy_problems(config: Config, notes: CopyNotes, statuses: Sequence[CopyStatus]) -> list[str]:
    """Return what is wrong with copies, each in a sentence with what to do."""
    trying = config.command_line("copy", sudo=True)
    found = [
        f"copy {each.name} is behind: of {each.job} it has {each.backup or 'nothing yet'}"
        f"{'' if each.problem is None else f'; {_short(each.problem)}'}; try it with: {trying}"
        for each in statuses
        if each.behind
    ]
    for settings in config.copies:
        check = notes.check_of(settings)
        if check.problem is not None:
            found.append(f"the check of copy {settings.name} at {check.checked_at} failed: {_short(check.problem)}")
        if check.not_deleted is not None:
            found.append(f"old copies in {settings.name} are not deleted: {_short(check.not_deleted)}")
    return found


def _short(text: str) -> str:
    line = "; ".join(part.strip() for part in text.splitlines())
    return line if len(line) <= _MOST_TEXT else f"{line[:_MOST_TEXT]}…"
