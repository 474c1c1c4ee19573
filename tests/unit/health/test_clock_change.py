"""A night in which the clock is changed, with cron and the hourly entry as they are: one backup, none too many."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from support.instance import a_manifest
from tracker_backup.config.model import Job, Keep
from tracker_backup.health.status import is_due
from tracker_backup.repository.manifest import Manifest, format_time
from tracker_backup.schedule.due import next_run

pytestmark = pytest.mark.guarantee(15)

JOB = Job("nightly", "30 2 * * *", Keep(last=9))


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the host be where the clock is changed at 01:00 UTC."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def night(evening: datetime, *, cron_runs: bool) -> list[str]:
    """Live through a night, minute by minute: the job's own entry, if cron gets to it, and the hourly one at :17."""
    manifests: list[Manifest] = [a_manifest(format_time(evening - timedelta(hours=18)), JOB.name)]
    coming = next_run(JOB.schedule or "", evening)
    for minutes in range(12 * 60):
        now = evening + timedelta(minutes=minutes)
        by_cron = cron_runs and now == coming
        hourly = now.minute == 17 and is_due(JOB, manifests, evening, now)
        if by_cron or hourly:
            manifests.append(a_manifest(format_time(now), JOB.name))
    return [manifest.started_at[11:16] for manifest in manifests[1:]]


@pytest.mark.parametrize(
    ("evening", "cron_runs", "at"),
    [
        # 02:30 comes at 00:30 and again at 01:30 UTC; cron and the hourly entry take the first.
        (datetime(2026, 10, 24, 20, tzinfo=UTC), True, ["00:30"]),
        (datetime(2026, 10, 24, 20, tzinfo=UTC), False, ["01:17"]),
        # 02:30 is skipped: due when the clock has jumped from 02:00 to 03:00, at 01:00 UTC.
        (datetime(2026, 3, 28, 20, tzinfo=UTC), True, ["01:00"]),
        (datetime(2026, 3, 28, 20, tzinfo=UTC), False, ["01:17"]),
    ],
)
def test_one_backup_in_such_a_night(evening: datetime, cron_runs: bool, at: list[str]) -> None:
    assert night(evening, cron_runs=cron_runs) == at
