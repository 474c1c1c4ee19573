"""When a schedule fires, in the host's local time, the way Debian's cron does it.

The calendar is walked in wall-clock time without a zone, where every version of croniter agrees; what the clock
change does to a time is decided here. A time that is skipped in spring stands for the moment at which the clock
jumped, a time that comes twice in autumn counts once, the first time. Cron does so with jobs at fixed hours, which
backups are.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from tracker_backup.schedule.expression import wall_times

_LONGEST = timedelta(days=3700)
"""How far back a schedule's last time is looked for: leap days can be eight years apart."""


def next_run(schedule: str, now: datetime, *, zone: tzinfo | None = None) -> datetime:
    """Return the first time after `now` at which cron starts a job with this schedule.

    `now` is an aware time; `zone` is the zone of cron's clock, the host's own when None. The result is aware, too,
    and in that zone.
    """
    for wall in wall_times(schedule, _wall_clock(now, zone)):
        instant = _instant(wall, zone)
        if instant > now:
            return instant.astimezone(zone)
    raise AssertionError("croniter's times never end")  # pragma: no cover


def previous_run(schedule: str, now: datetime, *, zone: tzinfo | None = None) -> datetime:
    """Return the last time not after `now` at which cron started a job with this schedule.

    The times are as in next_run.

    Raises ValueError for a schedule that did not fire within the last ten years.
    """
    # Searched forwards from a start that is found by halving: croniter 1.3.5 loses leap days on its way back.
    early, late = now - _LONGEST, now
    if next_run(schedule, early, zone=zone) > now:
        raise ValueError(f"{schedule!r} has not fired for ten years")
    while late - early > timedelta(minutes=10):
        middle = early + (late - early) / 2
        if next_run(schedule, middle, zone=zone) <= now:
            early = middle
        else:
            late = middle
    while (coming := next_run(schedule, early, zone=zone)) <= now:
        early = coming
    return early.astimezone(zone)


def period_seconds(schedule: str, now: datetime, *, zone: tzinfo | None = None) -> float:
    """Return the seconds that may pass between two backups: the longer interval of the two around the last time.

    "Around" matters for uneven schedules: on Monday after `0 3 * * 1-5` the backup before is Friday's.
    """
    last = previous_run(schedule, now, zone=zone)
    before = previous_run(schedule, last - timedelta(seconds=1), zone=zone)
    after = next_run(schedule, last, zone=zone)
    # Subtracting two times in one zone would compare wall clocks, an hour off when the clock changed between them.
    moments = [moment.astimezone(UTC) for moment in (before, last, after)]
    return max(moments[1] - moments[0], moments[2] - moments[1]).total_seconds()


def _wall_clock(moment: datetime, zone: tzinfo | None) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _instant(wall: datetime, zone: tzinfo | None) -> datetime:
    """Return the moment, in UTC, at which a wall-clock time is due."""
    moment = _attached(wall, zone)
    if _wall_clock(moment, zone) == wall:
        return moment
    # Skipped: the clock jumped between the readings of this time in the offset before and in the one after.
    early, late = sorted((moment, _attached(wall.replace(fold=1), zone)))
    offset_after = late.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        if middle.astimezone(zone).utcoffset() == offset_after:
            late = middle
        else:
            early = middle
    return late.replace(microsecond=0)


def _attached(wall: datetime, zone: tzinfo | None) -> datetime:
    """Return the moment of a wall-clock time (without a zone: in the host's own), read with its `fold`."""
    return wall.astimezone(UTC) if zone is None else wall.replace(tzinfo=zone).astimezone(UTC)
