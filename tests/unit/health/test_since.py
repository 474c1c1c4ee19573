"""Since when a job has had its schedule: what is new is not late because the repository is old."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.instance import Instance, a_manifest
from tracker_backup.config.model import Config
from tracker_backup.health.gather import gather_status, refresh_status
from tracker_backup.health.since import first_seen, note_jobs
from tracker_backup.health.status import NAMES
from tracker_backup.repository.manifest import format_time

pytestmark = pytest.mark.guarantee(12)

NOW = datetime.now(UTC).replace(microsecond=0)
LONG_AGO = NOW - timedelta(days=100)
DAILY = {"name": "daily", "schedule": "0 3 * * *"}
WEEKLY = {"name": "weekly", "schedule": f"0 5 * * {(NOW + timedelta(days=3)).isoweekday() % 7}"}
"""In three days, whatever day this is: within eight days it is due once."""


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    """Return an instance that is a hundred days old, with a backup of its daily job an hour ago."""
    instance = Instance(tmp_path)
    configured(instance, DAILY, at=LONG_AGO)
    instance.repository.init()
    touch(instance.path / ".tracker-backup", LONG_AGO)
    instance.add(a_manifest(format_time(NOW - timedelta(hours=1))))
    return instance


def touch(path: Path, moment: datetime) -> None:
    os.utime(path, (moment.timestamp(), moment.timestamp()))


def configured(instance: Instance, *jobs: dict[str, str], at: datetime = NOW) -> Config:
    config = instance.configure(jobs=list(jobs))
    touch(instance.file, at)
    return config


def late(instance: Instance, config: Config, now: datetime = NOW) -> list[str]:
    status = gather_status(config, instance.repository, (), now)
    return [NAMES[reason.level] for reason in status.reasons(now) if "in time" in reason.text]


def test_a_job_added_to_an_old_repository_is_not_late(instance: Instance) -> None:
    config = configured(instance, DAILY, WEEKLY)

    assert late(instance, config) == []
    assert late(instance, config, NOW + timedelta(days=8)) == ["CRITICAL", "WARNING"]


def test_a_changed_schedule_has_its_time(instance: Instance) -> None:
    """Else an hourly job that was a monthly one until now would be late the moment it is written."""
    note_jobs(configured(instance, {"name": "daily", "schedule": "0 3 1 * *"}, at=LONG_AGO), LONG_AGO)
    (instance.path / instance.ids()[0]).rename(instance.base / "gone")
    instance.add(a_manifest(format_time(NOW - timedelta(days=20))))

    config = configured(instance, {"name": "daily", "schedule": "7 * * * *"})

    assert late(instance, config) == []
    assert late(instance, config, NOW + timedelta(hours=5)) == ["CRITICAL"]


def test_what_is_noted_stays_whoever_writes_the_configuration_anew(instance: Instance) -> None:
    config = configured(instance, DAILY, WEEKLY, at=LONG_AGO)
    note_jobs(config, NOW)
    touch(instance.file, NOW)

    assert first_seen(config, NOW) == {"daily": LONG_AGO, "weekly": LONG_AGO}
    assert late(instance, config) == ["CRITICAL"]


def test_it_is_noted_with_the_status_and_written_only_when_it_changes(instance: Instance) -> None:
    config = configured(instance, DAILY)
    refresh_status(config, instance.repository)
    noted = instance.state / "jobs.json"
    before = noted.stat()

    refresh_status(config, instance.repository)

    assert json.loads(noted.read_bytes()) == {"daily": {"schedule": "0 3 * * *", "since": format_time(NOW)}}
    assert (noted.stat().st_ino, noted.stat().st_mode & 0o777) == (before.st_ino, 0o600)


def test_applying_the_schedule_notes_it(instance: Instance) -> None:
    configured(instance, DAILY, WEEKLY)

    assert instance.run("schedule", "apply", "--dry-run").returncode == 0
    assert not (instance.state / "jobs.json").exists()
    assert instance.run("schedule", "apply").returncode == 0
    assert set(json.loads((instance.state / "jobs.json").read_bytes())) == {"daily", "weekly"}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"daily": 1}', '{"daily": {"schedule": "0 3 * * *", "since": "x"}}'])
def test_a_damaged_note_is_none(instance: Instance, text: str) -> None:
    config = configured(instance, DAILY)
    instance.state.mkdir()
    (instance.state / "jobs.json").write_text(text)

    assert first_seen(config, NOW) == {"daily": NOW}


def test_a_note_from_the_future_does_not_silence_a_job(instance: Instance) -> None:
    config = configured(instance, DAILY, at=LONG_AGO)
    note_jobs(configured(instance, DAILY, at=LONG_AGO), NOW)
    ahead = format_time(NOW + timedelta(days=999))
    (instance.state / "jobs.json").write_text(json.dumps({"daily": {"schedule": "0 3 * * *", "since": ahead}}))

    assert first_seen(config, NOW) == {"daily": LONG_AGO}
