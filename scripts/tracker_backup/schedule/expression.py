"""Cron expressions: which ones we take, and what they say.

Three readers have to agree on an expression: the cron daemon, which runs the job; python-crontab, which writes the
line; croniter, which tells when it is due. Each takes spellings that another one refuses or reads differently, so
only the common ground is allowed: five fields of numbers, names, ranges, lists and steps, or one of cron's words.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

WORDS = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
"""Cron's words for common schedules. `@reboot` is none of them: it names no time."""

_NUMBER, _NAME = "[0-9]{1,2}", "[A-Za-z]{3}"
_RANGE = rf"(?:(?:{_NUMBER}-{_NUMBER}|{_NAME}-{_NAME})(?:/{_NUMBER})?|{_NUMBER}|{_NAME})"
_FIELD = re.compile(rf"\*(?:/[0-9]{{1,2}})?|{_RANGE}(?:,{_RANGE})*")
# A time of day, daily or on one weekday: what most have, and no reason to load two libraries at every start.
_ORDINARY = re.compile(r"[0-5]?[0-9] (?:[01]?[0-9]|2[0-3]) \* \* [*0-7]")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_FIELDS = 5
_ANY_DAY = datetime(2026, 1, 1)  # noqa: DTZ001  wall-clock time has no zone
_EVERY = tuple(frozenset(values) for values in (range(60), range(24), range(1, 32), range(1, 13), range(7)))


def normalized(schedule: str) -> str:
    """Return the expression with single blanks between its fields."""
    return " ".join(schedule.split())


def either_day_counts(schedule: str) -> bool:
    """Tell whether a day has to match the day of month *or* the weekday; else it has to match both.

    That is cron's rule: "or" as soon as neither of the two fields begins with an asterisk.
    """
    if schedule.startswith("@"):
        return False
    _, _, day, _, weekday = schedule.split()
    return not (day.startswith("*") or weekday.startswith("*"))


def minutes(schedule: str) -> frozenset[int]:
    """Return the minutes of the hour at which a valid expression can start something."""
    return _values(normalized(schedule))[0]


def schedule_problem(schedule: str) -> str | None:
    """Say what is wrong with an expression and what to write instead; None when it can be used."""
    if _CONTROL.search(schedule):
        return "it holds a line break or another control character"
    schedule = normalized(schedule)
    if _ORDINARY.fullmatch(schedule):
        return None
    if schedule.startswith("@"):
        return None if schedule in WORDS else f"unknown word; known are {', '.join(WORDS)}"
    return _misspelling(schedule) or _disagreement(schedule) or _never(schedule)


def _misspelling(schedule: str) -> str | None:
    fields = schedule.split()
    if len(fields) != _FIELDS:
        return f'it has {len(fields)} fields, not minute, hour, day, month, weekday; "0 3 * * *" is 03:00 every day'
    for field in fields:
        if not _FIELD.fullmatch(field):
            return f'"{field}" is not understood; use numbers, names, ranges (1-5), lists (1,15) or steps (*/2)'
        # Some versions of croniter take it for the whole range of the field.
        if any(_is_one_value(item) for item in field.split(",")):
            return f'"{field}" has a range from a value to itself; write the value alone'
    return None


def _is_one_value(item: str) -> bool:
    first, _, last = item.partition("/")[0].lower().partition("-")
    return first.lstrip("0") == last.lstrip("0") if last else False


def _disagreement(schedule: str) -> str | None:
    """Say where python-crontab and croniter do not read the expression, or read it differently from cron."""
    from croniter import croniter

    written = _written(schedule)
    if written is None or not croniter.is_valid(schedule):
        limits = "minute 0-59, hour 0-23, day 1-31, month 1-12, weekday 0-7, and no names among numbers"
        return f"a value is out of range; {limits}"
    _, _, days, _, weekdays = _values(schedule)
    if either_day_counts(schedule) and (days == _EVERY[2] or weekdays == _EVERY[4]):
        # To cron "15 * 1-7" means every day; both libraries turn 1-7 into * and get the 15th only.
        return "day and weekday are given and one covers every day, which means every day: write * in both"
    if not _means_the_same(schedule, written):
        # It does so with weekdays up to 7: 7-7 becomes every day, 1-7/2 every other day from Sunday.
        return f'python-crontab would write it as "{written}", which is something else; list numbers: 0,1,3,5'
    return None


def _means_the_same(schedule: str, written: str) -> bool:
    readable = written in WORDS or all(_FIELD.fullmatch(field) for field in written.split())
    # Written a second time some mixtures of names and numbers are sorted differently, or crash it.
    if not readable or _written(written) != written:
        return False
    return _values(schedule) == _values(written) and either_day_counts(schedule) == either_day_counts(written)


def _values(schedule: str) -> list[frozenset[int]]:
    """Return the values that each field allows."""
    from croniter import croniter

    fields = croniter.expand(schedule)[0]
    return [
        every if field == ["*"] else frozenset(int(value) for value in field)
        for field, every in zip(fields, _EVERY, strict=True)
    ]


def _written(schedule: str) -> str | None:
    """Return the expression as python-crontab will write it, None where it cannot."""
    from crontab import CronSlices

    try:
        return str(CronSlices(schedule).render())
    except (ValueError, KeyError, TypeError):  # a TypeError comes from sorting names among numbers
        return None


def wall_times(schedule: str, start: datetime) -> Iterator[datetime]:
    """Yield the wall-clock times after `start` that a valid expression matches, ascending, without end."""
    from croniter import croniter

    schedule = normalized(schedule)
    times = croniter(schedule, start, ret_type=datetime, day_or=either_day_counts(schedule))
    while True:
        yield times.get_next(datetime)


def never_fires(schedule: str) -> bool:
    """Tell whether an expression that reads well names no day of the calendar, as February 31 does."""
    from croniter import CroniterBadDateError

    try:
        next(wall_times(schedule, _ANY_DAY))
    except CroniterBadDateError:
        return True
    return False


def _never(schedule: str) -> str | None:
    return "no calendar has such a day: it would never run" if never_fires(schedule) else None
