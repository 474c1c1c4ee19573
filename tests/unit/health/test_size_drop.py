"""A sudden drop in size: a warning until it is accepted, or until the size is the usual one again."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.instance import Instance, a_manifest, an_artifact
from tracker_backup.config.model import Config
from tracker_backup.health.gather import gather_status, refresh_status
from tracker_backup.health.runs import LastRun
from tracker_backup.health.statefile import read_status, write_status
from tracker_backup.health.status import WARNING
from tracker_backup.repository.manifest import Artifact, Failure, Manifest
from tracker_backup.schedule import service

pytestmark = pytest.mark.guarantee(5, 12)

NOW = datetime(2026, 11, 24, 4, tzinfo=UTC)
ID = "20261124T030000Z-daily"
RUN = LastRun("daily", ID, "2026-11-24T03:00:05Z", 3, "it is small")


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    instance = Instance(tmp_path)
    instance.configure()
    instance.repository.init()
    for day in (22, 23):
        instance.add(a_manifest(f"2026-11-{day}T03:00:00Z"))
    return instance


@pytest.fixture
def config(instance: Instance) -> Config:
    config = instance.configure()
    # Repository and schedule are older than the backups, whenever this test runs.
    before = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
    for path in (instance.path / ".tracker-backup", instance.file):
        os.utime(path, (before, before))
    service.apply(config)
    return config


def small(source: str = "tracker") -> Artifact:
    return an_artifact(source, raw_bytes=300, usual_raw_bytes=1000, size_drop=True)


def dropped(**changes: object) -> Manifest:
    return a_manifest(**{"started_at": "2026-11-24T03:00:00Z", "artifacts": (small(),), **changes})  # type: ignore[arg-type]


def reasons(
    instance: Instance, config: Config, last_run: LastRun | None = None, now: datetime = NOW
) -> list[tuple[int, str]]:
    status = gather_status(config, instance.repository, () if last_run is None else (last_run,), now)
    return [(reason.level, reason.text) for reason in status.reasons(now)]


def test_it_is_a_warning_with_the_way_out(instance: Instance, config: Config) -> None:
    instance.add(dropped())

    [(level, text)] = reasons(instance, config)

    assert level == WARNING
    assert text == (
        "tracker has only 300 B, less than half of the usual 1000 B; if that is right: "
        f"sudo tracker-backup --config {config.file} accept {ID}"
    )


def test_it_does_not_count_for_freshness(instance: Instance, config: Config) -> None:
    instance.add(dropped())

    status = gather_status(config, instance.repository, (), NOW)

    assert status.jobs[0].last_verified == "20261123T030000Z-daily"
    late = [text for _, text in reasons(instance, config, now=datetime(2026, 11, 24, 6, tzinfo=UTC))]
    assert any("no complete verified backup in time" in text for text in late)


def test_accepting_it_ends_all_of_that_and_what_the_run_said(instance: Instance, config: Config) -> None:
    instance.add(dropped())
    assert len(reasons(instance, config, RUN)) == 2

    instance.repository.accept(ID)

    assert reasons(instance, config, RUN) == []
    status = gather_status(config, instance.repository, (RUN,), NOW)
    assert status.jobs[0].last_verified == ID


def test_accepting_it_does_not_silence_another_failure(instance: Instance, config: Config) -> None:
    instance.add(dropped())
    instance.repository.accept(ID)
    failed = LastRun("daily", None, "2026-11-24T03:30:05Z", 1, "no room")

    assert [text for _, text in reasons(instance, config, failed)] == [
        "the last run (daily, 2026-11-24T03:30:05Z): no room"
    ]


@pytest.mark.parametrize(
    "changes",
    [{"artifacts": (an_artifact(),)}, {"state": "partial", "errors": (Failure("index", "gone"),)}],
    ids=["nothing dropped", "it is without a source"],
)
def test_what_else_the_run_said_of_that_backup_stays(
    instance: Instance, config: Config, changes: dict[str, object]
) -> None:
    """Old backups could not be deleted, say, or a source is missing: no acceptance makes that good."""
    instance.add(dropped(**changes))
    if "errors" in changes:
        instance.repository.accept(ID)

    assert "the last run (daily, 2026-11-24T03:00:05Z): it is small" in [
        text for _, text in reasons(instance, config, RUN)
    ]


def test_a_later_copy_of_the_usual_size_ends_it_whoever_made_it(instance: Instance, config: Config) -> None:
    instance.add(dropped())
    instance.add(a_manifest("2026-11-24T03:30:00Z", job="manual"))

    assert reasons(instance, config) == []


def test_a_later_copy_of_another_source_does_not(instance: Instance, config: Config) -> None:
    instance.add(dropped())
    instance.add(a_manifest("2026-11-24T03:30:00Z", job="manual", sources=["index"]))

    assert len(reasons(instance, config)) == 1


def test_each_source_that_dropped_is_named(instance: Instance, config: Config) -> None:
    instance.add(dropped(artifacts=(small(), small("index"), an_artifact("files"))))

    assert sorted(text.split()[0] for _, text in reasons(instance, config)) == ["index", "tracker"]


def test_one_from_the_future_is_told_as_that_only(instance: Instance, config: Config) -> None:
    instance.add(dropped(started_at="2031-01-01T03:00:00Z"))
    instance.add(a_manifest("2026-11-24T03:00:00Z"))

    assert ["is from the future" in text for _, text in reasons(instance, config)] == [True]


def test_the_status_file_is_written_anew_with_the_run_that_stands_there(instance: Instance, config: Config) -> None:
    instance.add(dropped())
    write_status(config.state_directory, gather_status(config, instance.repository, (RUN,), NOW), NOW)

    refresh_status(config, instance.repository)

    status = read_status(config.state_directory)
    assert status is not None
    assert status.last_run == RUN
