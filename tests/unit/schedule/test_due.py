"""Due times, above all around the two clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker_backup.schedule.due import next_run, period_seconds, previous_run
from tracker_backup.schedule.expression import never_fires

pytestmark = pytest.mark.guarantee(15)

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def next_in_berlin(schedule: str, now: str) -> datetime:
    return next_run(schedule, utc(now), zone=BERLIN).astimezone(UTC)


def previous_in_berlin(schedule: str, now: str) -> datetime:
    return previous_run(schedule, utc(now), zone=BERLIN).astimezone(UTC)


def test_an_ordinary_day() -> None:
    assert next_in_berlin("0 3 * * *", "2026-11-23T12:00") == utc("2026-11-24T02:00")
    assert previous_in_berlin("0 3 * * *", "2026-11-23T12:00") == utc("2026-11-23T02:00")


def test_the_very_moment_is_previous_not_next() -> None:
    assert previous_in_berlin("0 3 * * *", "2026-11-23T02:00") == utc("2026-11-23T02:00")
    assert next_in_berlin("0 3 * * *", "2026-11-23T02:00") == utc("2026-11-24T02:00")


@pytest.mark.parametrize("minute", ["0", "30", "59"])
def test_a_skipped_time_is_due_when_the_clock_has_jumped(minute: str) -> None:
    """Debian's cron ran a 02:30 job at 03:00 on such a morning."""
    jump = utc("2026-03-29T01:00")
    assert next_in_berlin(f"{minute} 2 * * *", "2026-03-29T00:59") == jump
    assert previous_in_berlin(f"{minute} 2 * * *", "2026-03-29T01:00") == jump
    assert next_in_berlin(f"{minute} 2 * * *", "2026-03-29T01:00") > utc("2026-03-29T23:00")


def test_a_time_that_comes_twice_counts_once() -> None:
    first, second = utc("2026-10-25T00:30"), utc("2026-10-25T01:30")
    assert next_in_berlin("30 2 * * *", "2026-10-24T22:00") == first
    assert next_in_berlin("30 2 * * *", "2026-10-25T00:30") == utc("2026-10-26T01:30")
    assert previous_in_berlin("30 2 * * *", "2026-10-25T00:45") == first
    assert previous_in_berlin("30 2 * * *", "2026-10-25T01:10") == first, "in the repeated hour, before its 02:30"
    assert previous_in_berlin("30 2 * * *", (second + timedelta(minutes=5)).isoformat()[:16]) == first


def test_the_period_follows_the_clock_change() -> None:
    assert period_seconds("0 3 * * *", utc("2026-07-01T12:00"), zone=BERLIN) == 24 * HOUR
    assert period_seconds("0 4 * * *", utc("2026-10-25T12:00"), zone=BERLIN) == 25 * HOUR
    assert period_seconds("0 4 * * *", utc("2026-03-30T12:00"), zone=BERLIN) == 24 * HOUR


def test_the_period_of_an_uneven_schedule_looks_both_ways() -> None:
    """On Monday, Friday's backup is the last one there can be; on Wednesday it is Tuesday's."""
    monday, wednesday = utc("2026-11-23T12:00"), utc("2026-11-25T12:00")
    assert period_seconds("0 3 * * 1-5", monday, zone=UTC) == 72 * HOUR
    assert period_seconds("0 3 * * 1-5", wednesday, zone=UTC) == 24 * HOUR


def test_day_and_weekday_mean_either_unless_one_is_an_asterisk() -> None:
    """`*/2` begins with an asterisk: to cron it restricts the weekday further."""
    assert next_run("0 3 15 * 1", utc("2026-11-10T00:00"), zone=UTC) == utc("2026-11-15T03:00")
    assert next_run("0 3 15 * 1", utc("2026-11-15T04:00"), zone=UTC) == utc("2026-11-16T03:00")
    assert next_run("0 3 */2 * 1", utc("2026-11-10T00:00"), zone=UTC) == utc("2026-11-23T03:00")


def test_leap_days_in_both_directions() -> None:
    assert next_run("0 0 29 2 *", utc("2026-11-23T00:00"), zone=UTC) == utc("2028-02-29T00:00")
    assert previous_run("0 0 29 2 *", utc("2026-11-23T00:00"), zone=UTC) == utc("2024-02-29T00:00")
    assert period_seconds("0 0 29 2 *", utc("2026-11-23T00:00"), zone=UTC) == 1461 * 24 * HOUR


@pytest.mark.parametrize("schedule", ["0 3 31 2 *", "0 3 30 2 *", "0 0 31 4,6,9,11 *"])
def test_days_that_no_calendar_has(schedule: str) -> None:
    assert never_fires(schedule)


@pytest.mark.parametrize("schedule", ["0 3 * * *", "0 0 29 2 *", "0 3 31 2 1", "@weekly"])
def test_days_that_come(schedule: str) -> None:
    assert not never_fires(schedule)


def test_the_hosts_own_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a zone the host's is used, its clock change included."""
    import time

    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        assert next_run("30 2 * * *", utc("2026-03-29T00:59")).astimezone(UTC) == utc("2026-03-29T01:00")
        assert previous_run("30 2 * * *", utc("2026-10-25T01:40")).astimezone(UTC) == utc("2026-10-25T00:30")
        assert next_run("0 3 * * *", utc("2026-07-01T00:00")).utcoffset() == timedelta(hours=2)
    time.tzset()


@given(
    now=st.integers(1735689600, 1830297600).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    schedule=st.sampled_from(["30 2 * * *", "0 3 * * 1-5", "15 */6 * * *", "0 2 1,15 * *", "@daily", "59 1 * * 0"]),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kolkata"]),
)
def test_now_lies_between_the_last_and_the_next_time(now: datetime, schedule: str, zone: str) -> None:
    """Nothing is due between the two, seen from either of them."""
    last = previous_run(schedule, now, zone=ZoneInfo(zone)).astimezone(UTC)
    coming = next_run(schedule, now, zone=ZoneInfo(zone)).astimezone(UTC)
    assert last <= now < coming
    assert next_run(schedule, last, zone=ZoneInfo(zone)).astimezone(UTC) == coming
    assert previous_run(schedule, coming - timedelta(seconds=1), zone=ZoneInfo(zone)).astimezone(UTC) == last
