"""How a page says times, ages, durations and sizes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from tracker_backup.report.markup import element
from tracker_backup.system.space import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_TEN = 10
_TICKS = 4
"""An axis has no more lines than these, and the one at its foot."""


def moment(text: str) -> datetime:
    """Return the time that a text is."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def time_element(text: str) -> Element:
    """Return a time as people read it."""
    return element("time", f"{moment(text):%Y-%m-%d %H:%M} UTC", datetime=text)


def day(text: str) -> str:
    """Return the day of a time, as an axis has it."""
    return f"{moment(text).day} {moment(text):%b}"


def span(seconds: float) -> str:
    """Return how long something is, in its largest unit."""
    seconds = abs(seconds)
    if seconds < _MINUTE:
        return "under a minute"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR:.0f} h"
    return f"{seconds // _DAY:.0f} d"


def ago(text: str, now: str) -> str:
    """Return how far a time is from another one."""
    seconds = (moment(now) - moment(text)).total_seconds()
    return f"{span(seconds)} ago" if seconds >= 0 else f"in {span(seconds)}"


def duration(seconds: float) -> str:
    """Return a measured duration."""
    if seconds < _TEN:
        return f"{seconds:.1f} s"
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"


def ticks(most: float, steps: Callable[[float], float]) -> list[float]:
    """Return the values of an axis' lines, from nought to the first that is not below `most`."""
    step = steps(most / _TICKS)
    found = [0.0]
    while found[-1] < most:
        found.append(found[-1] + step)
    return found


def second_steps(least: float) -> float:
    """Return the round number of seconds that is not below `least`."""
    rounds = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)
    return next((step for step in rounds if step >= least), 28800 * (least // 28800 + 1))


def byte_steps(least: float) -> float:
    """Return the round size that is not below `least`."""
    unit = 1.0
    while least > unit * 512:
        unit *= 1024
    return next(step * unit for step in (1, 2, 5, 10, 20, 50, 100, 200, 256, 512) if step * unit >= least)


def axis_seconds(value: float) -> str:
    """Return a duration on an axis."""
    if value >= _HOUR and not value % _HOUR:
        return f"{value / _HOUR:g} h"
    return f"{value / _MINUTE:g} min" if value >= _MINUTE else f"{value:g} s"


def axis_bytes(value: float) -> str:
    """Return a size on an axis."""
    return format_bytes(value).replace(".0 ", " ") if value else "0"
