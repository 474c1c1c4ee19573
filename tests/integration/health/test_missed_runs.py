"""The hourly entry: silent where nothing was missed, at work where something was."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta

import pytest

from support.instance import Instance

HOURLY = ("--now", "--if-due", "--wait", "--quiet")


def made_days_ago(instance: Instance, days: float) -> None:
    """Let repository and configuration have been made then: what was scheduled since was missed."""
    moment = time.time() - days * 86400
    for file in (instance.path / ".tracker-backup", instance.file):
        os.utime(file, (moment, moment))


def in_twelve_hours() -> str:
    """A daily schedule whose next time is far away, whenever the test runs."""
    then = datetime.now().astimezone() + timedelta(hours=12)
    return f"{then.minute} {then.hour} * * *"


@pytest.fixture(autouse=True)
def far_away(instance: Instance) -> None:
    instance.configure(jobs=[{"name": "daily", "schedule": in_twelve_hours()}])


def test_where_nothing_is_due_nothing_is_said_or_done(instance: Instance) -> None:
    done = instance.run(*HOURLY)

    assert (done.returncode, done.stdout, done.stderr, instance.ids()) == (0, "", "", [])
    assert instance.run("--now", "--if-due").stdout == "No job is due.\n"


def test_what_was_missed_is_made_up_for_once(instance: Instance) -> None:
    made_days_ago(instance, 2)

    codes = [instance.run(*HOURLY).returncode for _ in range(2)]

    assert codes == [0, 0]
    assert len(instance.ids()) == 1


def test_what_failed_is_tried_again(instance: Instance) -> None:
    made_days_ago(instance, 2)
    database = instance.database.rename(instance.base / "away.db")

    failed = [instance.run(*HOURLY).returncode for _ in range(2)]
    database.rename(instance.database)
    made_good = instance.run(*HOURLY)

    assert failed == [1, 1]
    assert (made_good.returncode, made_good.stderr, len(instance.ids())) == (0, "", 1)
    assert instance.status()["last_run"]["exit_code"] == 0


def test_a_part_is_not_taken_every_hour(instance: Instance) -> None:
    sources = [*instance.document()["sources"], {"name": "index", "type": "sqlite", "path": "/nonexistent.db"}]
    instance.configure(sources=sources, jobs=[{"name": "daily", "schedule": in_twelve_hours()}])
    made_days_ago(instance, 2)

    codes = [instance.run(*HOURLY).returncode for _ in range(2)]

    assert codes == [3, 0]
    assert len(instance.ids()) == 1
    assert instance.status()["state"] == "WARNING" or instance.status()["state"] == "CRITICAL"


def test_two_at_once_make_one_backup(instance: Instance) -> None:
    made_days_ago(instance, 2)

    processes = [instance.start(*HOURLY) for _ in range(2)]
    said = [process.communicate(timeout=60) for process in processes]

    assert [process.returncode for process in processes] == [0, 0]
    assert said == [("", ""), ("", "")]
    assert len(instance.ids()) == 1


def test_a_job_that_cannot_be_done_keeps_no_other_from_it(instance: Instance) -> None:
    jobs = [
        {"name": "broken", "schedule": in_twelve_hours(), "sources": ["gone"]},
        {"name": "sound", "schedule": in_twelve_hours(), "sources": ["tracker"]},
    ]
    gone = {"name": "gone", "type": "sqlite", "path": "/nonexistent.db"}
    instance.configure(jobs=jobs, sources=[gone, *instance.document()["sources"]])
    made_days_ago(instance, 2)

    done = instance.run(*HOURLY)

    assert done.returncode == 1
    assert "gone: " in done.stderr
    assert [identifier.partition("-")[2] for identifier in instance.ids()] == ["sound"]
