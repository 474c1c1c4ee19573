"""Prints, as JSON, what the package makes of many schedules. Its arguments are the directories to import from."""

from __future__ import annotations

import json
import random
import sys
import warnings
from datetime import datetime
from importlib.metadata import version
from zoneinfo import ZoneInfo

sys.path[:0] = sys.argv[1:]
warnings.simplefilter("ignore")  # old libraries call what newer Pythons have deprecated

from tracker_backup.schedule import due  # noqa: E402  the line above says from where
from tracker_backup.schedule.entries import ScheduledJob, build_entries  # noqa: E402
from tracker_backup.schedule.expression import schedule_problem  # noqa: E402
from tracker_backup.schedule.rendering import render_cron_file, render_table  # noqa: E402

LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
NAMES = ("", "", "", "jan feb MAR dec", "sun mon Fri sat")
CHOSEN = [
    "0 3 * * *", "@daily", "@annually", "@midnight", "@reboot", "0 0 * * *", "0 0 29 2 *", "0 3 31 2 *",
    "0 3 * * 7", "0 3 * * 5-7", "0 3 * * 1-7/2", "0 3 * * 7-7", "0 3 * * 6-7/2", "0 3 15 * 1-7", "0 3 1-31 * 1",
    "0 3 */2 * 1", "0 3 15 * 1", "0~30 3 * * *", "-0 3 * * *", "5/15 * * * *", "0 3 * dec-01 *", "0 3 * * mon-sun",
    "30 2 * * *", "*/5 * * * *", "0 3 * * sun,1", "0 3 * * 1,sun",
]  # fmt: skip
MOMENTS = ["2026-10-25T01:10+00:00", "2026-11-23T12:00+00:00"]


def drawn(source: random.Random, field: int) -> str:
    """Return a random field, right more often than not."""
    low, high = LIMITS[field]
    values = [str(source.randint(low, high)) for _ in range(3)] + NAMES[field].split()

    def item() -> str:
        one, other = source.choice(values), source.choice(values)
        return source.choice([one, one, f"{one}-{other}", f"{one}-{other}/{source.randint(1, 5)}"])

    kind = source.random()
    if kind < 0.5:
        return "*"
    if kind < 0.6:
        return f"*/{source.randint(1, 9)}"
    return ",".join(item() for _ in range(source.randint(1, 2)))


def times(schedule: str) -> list[str]:
    """Return when a schedule is due around two moments, one of them in an hour that comes twice."""
    zone = ZoneInfo("Europe/Berlin")
    said = []
    for moment in map(datetime.fromisoformat, MOMENTS):
        said.append(due.next_run(schedule, moment, zone=zone).isoformat())
        said.append(due.previous_run(schedule, moment, zone=zone).isoformat())
        said.append(str(due.period_seconds(schedule, moment, zone=zone)))
    return said


def told(schedule: str) -> list[str]:
    """Return everything the package says about one schedule."""
    problem = schedule_problem(schedule)
    if problem is not None:
        return [problem]
    entries = build_entries("default", [ScheduledJob("daily", schedule)], command="/srv/my backups/run")
    return [render_table(entries), render_cron_file("default", entries, user="root"), *times(schedule)]


if __name__ == "__main__":
    source = random.Random(2026)
    many = [" ".join(drawn(source, field) for field in range(5)) for _ in range(150)]
    answer = {schedule: told(schedule) for schedule in [*CHOSEN, *many]}
    versions = {"crontab": version("python-crontab"), "croniter": version("croniter")}
    print(json.dumps({**versions, "schedules": answer}))
