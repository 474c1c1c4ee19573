"""What Prometheus is told: read back by its own parser."""

from __future__ import annotations

import stat
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.instance import Instance, a_manifest, an_artifact
from tracker_backup.errors import CommandError, RepositoryError
from tracker_backup.health.gather import gather_status, refresh_status
from tracker_backup.health.metrics import Metric
from tracker_backup.health.metricsfile import render, write_metrics
from tracker_backup.health.runs import LastRun
from tracker_backup.repository.manifest import Failure
from tracker_backup.schedule import service

NOW = datetime(2026, 11, 22, 4, tzinfo=UTC)
STARTED = datetime(2026, 11, 22, 3, tzinfo=UTC).timestamp()
DAY = 86400
Found = dict[tuple[str, ...], float]


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    made = Instance(tmp_path)
    service.apply(made.configure())
    made.repository.init()
    return made


def written(instance: Instance, *runs: LastRun, **settings: Any) -> Found:
    """Return what is in the file, by the metric's name without its prefix and its labels' values."""
    path = instance.base / "metrics.prom"
    status = gather_status(instance.configure(**settings), instance.repository, runs, NOW)
    write_metrics(path, status, instance.repository, NOW)
    found = {}
    for family in text_string_to_metric_families(path.read_text(encoding="utf-8")):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            assert sample.labels["backup_instance"] == "default"
            assert not {"job", "instance"} & set(sample.labels), "Prometheus calls its own target so"
            labels = [value for name, value in sample.labels.items() if name != "backup_instance"]
            found[(sample.name.removeprefix("tracker_backup_"), *labels)] = sample.value
    return found


def test_a_good_night(instance: Instance) -> None:
    tracker = an_artifact(raw_bytes=1000, bytes=400, copy_seconds=1.5, write_stall_seconds=0.25, pause_seconds=0.5)
    instance.add(a_manifest("2026-11-22T03:00:00Z", artifacts=(tracker,), seconds={"copy": 1.5, "read back": 2.5}))

    found = written(instance, LastRun("daily", "x", "2026-11-22T03:00:09Z", 0, "well"))

    assert found["state",] == 0
    assert found["problems", "warning"] == found["problems", "critical"] == 0
    assert found["written_timestamp_seconds",] == NOW.timestamp()
    assert found["job_last_success_timestamp_seconds", "daily"] == STARTED
    assert found["job_last_verified_timestamp_seconds", "daily"] == STARTED
    assert found["job_next_run_timestamp_seconds", "daily"] == STARTED + DAY
    assert found["job_late_timestamp_seconds", "daily"] == STARTED + DAY + 7200
    assert found["job_overdue_timestamp_seconds", "daily"] == STARTED + 2 * DAY + 7200
    assert found["job_last_run_timestamp_seconds", "daily"] == STARTED + 9
    assert found["job_last_run_exit_code", "daily"] == 0
    assert found["job_failed", "daily"] == 0
    assert found["job_phase_seconds", "daily", "read back"] == 2.5
    assert found["source_raw_bytes", "tracker", "sqlite"] == 1000
    assert found["source_stored_bytes", "tracker", "sqlite"] == 400
    assert found["source_copy_seconds", "tracker", "sqlite"] == 1.5
    assert found["source_write_stall_seconds", "tracker", "sqlite"] == 0.25
    assert found["source_pause_seconds", "tracker", "sqlite"] == 0.5
    assert found["source_verified", "tracker", "sqlite"] == found["source_good", "tracker", "sqlite"] == 1
    assert found["source_last_verified_timestamp_seconds", "tracker", "sqlite"] == STARTED
    assert found["backups", "verified"] == 1
    assert found["repository_bytes",] == 400
    assert found["repository_needed_bytes",] < found["repository_available_bytes",]


def test_without_a_backup_nothing_is_made_up(instance: Instance) -> None:
    found = written(instance)

    assert not [name for name in found if name[0].startswith("source_") or "last" in name[0]]
    assert ("repository_available_bytes",) not in found
    assert found["job_overdue_timestamp_seconds", "daily"] > NOW.timestamp()


def test_a_bad_night(instance: Instance) -> None:
    instance.add(a_manifest("2026-11-21T03:00:00Z", artifacts=(an_artifact(snapshot_at="2026-11-21T03:00:00Z"),)))
    bad = an_artifact(state="unverified", checks=({"check": "quick_check", "ok": None},))
    instance.add(a_manifest("2026-11-22T03:00:00Z", state="unverified", artifacts=(bad,)))

    found = written(instance, LastRun("daily", None, "2026-11-22T03:00:09Z", 3, "bad"))

    assert found["state",] == 1
    assert found["problems", "warning"] >= 2
    assert found["source_verified", "tracker", "sqlite"] == found["source_good", "tracker", "sqlite"] == 0
    assert found["source_last_verified_timestamp_seconds", "tracker", "sqlite"] == STARTED - DAY
    assert found["job_last_verified_timestamp_seconds", "daily"] == STARTED - DAY
    assert (found["job_last_run_exit_code", "daily"], found["job_failed", "daily"]) == (3, 1)


def test_where_nobody_asked_for_a_check_it_is_not_verified_and_nobody_is_woken(instance: Instance) -> None:
    instance.add(
        a_manifest("2026-11-22T03:00:00Z", state="unverified", artifacts=(an_artifact(state="unverified", checks=()),))
    )

    found = written(instance, check="none")

    assert (found["source_verified", "tracker", "sqlite"], found["source_good", "tracker", "sqlite"]) == (0, 1)
    assert found["job_last_success_timestamp_seconds", "daily"] == STARTED
    assert ("job_last_verified_timestamp_seconds", "daily") not in found


def test_what_a_person_has_accepted_is_no_failure(instance: Instance) -> None:
    dropped = an_artifact(usual_raw_bytes=5000, size_drop=True)
    directory = instance.add(a_manifest("2026-11-22T03:00:00Z", artifacts=(dropped,)))
    run = LastRun("daily", directory.name, "2026-11-22T03:00:09Z", 3, "small")
    assert written(instance, run)["job_failed", "daily"] == 1

    (directory / ".accepted").touch()

    found = written(instance, run)
    assert (found["job_failed", "daily"], found["job_last_run_exit_code", "daily"]) == (0, 3)


def test_a_run_by_hand_that_failed_is_heard_of_until_the_next_one(instance: Instance) -> None:
    by_hand = LastRun("manual", None, "2026-11-21T12:00:00Z", 1, "no")
    nightly = LastRun("daily", "x", "2026-11-22T03:00:09Z", 0, "well")

    assert written(instance, nightly, by_hand)["job_failed", "manual"] == 1
    assert ("job_failed", "manual") not in written(instance, by_hand, nightly)


def test_sources_are_those_of_today(instance: Instance) -> None:
    """A database that was given up stays in old backups for months; one that is missing today does not go unseen."""
    gone, both = an_artifact("gone"), (an_artifact("tracker"), an_artifact("index"))
    instance.add(a_manifest("2026-11-20T03:00:00Z", artifacts=(gone,)))
    instance.add(a_manifest("2026-11-21T03:00:00Z", artifacts=both))
    missing = {"state": "partial", "errors": (Failure("index", "it is not there"),)}
    instance.add(a_manifest("2026-11-22T03:00:00Z", **missing))

    found = written(instance)

    assert {name[1] for name in found if name[0] == "source_raw_bytes"} == {"tracker", "index"}


def test_a_backup_of_tomorrow_hides_nothing(instance: Instance) -> None:
    instance.add(a_manifest("2026-11-22T03:00:00Z", artifacts=(an_artifact(raw_bytes=1000),)))
    instance.add(a_manifest("2027-11-22T03:00:00Z", artifacts=(an_artifact(raw_bytes=7, checks=()),)))

    found = written(instance)

    assert found["source_raw_bytes", "tracker", "sqlite"] == 1000
    assert found["job_last_verified_timestamp_seconds", "daily"] == STARTED


def test_a_repository_that_is_gone_is_critical_and_not_empty(instance: Instance) -> None:
    (instance.repository.path / ".tracker-backup").unlink()

    found = written(instance)

    assert (found["state",], found["problems", "critical"]) == (2, 1)
    assert not [name for name in found if name[0].startswith(("repository_", "backups", "source_"))]


def test_names_of_all_kinds_are_escaped() -> None:
    name = 'a"b\\c\nd{}# HELP é'
    text = render(name, [Metric("tracker_backup_x", "X.", ("source",), [((name,), 1)])]).decode()

    [family] = text_string_to_metric_families(text)
    assert family.samples[0].labels == {"backup_instance": name, "source": name}


def test_others_may_read_it_and_it_is_never_half_there(instance: Instance, tmp_path: Path) -> None:
    path = tmp_path / "textfile" / "tracker-backup.prom"
    path.parent.mkdir()
    path.write_text("old\n", encoding="utf-8")
    before = path.stat().st_ino

    refresh_status(instance.configure(metrics_file=str(path)), instance.repository)

    assert path.stat().st_ino != before
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_without_node_exporter_it_is_said_where_and_the_status_is_written(instance: Instance, tmp_path: Path) -> None:
    config = instance.configure(metrics_file=str(tmp_path / "none" / "m.prom"))

    with pytest.raises(RepositoryError, match=r"cannot write the metrics .*/none/m.prom: No such file") as raised:
        refresh_status(config, instance.repository)

    assert "node_exporter" in str(raised.value)
    assert (config.state_directory / "status.json").exists()


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)

    with pytest.raises(CommandError, match="prometheus_client is missing") as raised:
        render("default", [])

    assert "apt-get install python3-prometheus-client" in str(raised.value)


def test_a_library_that_is_broken_is_an_error_that_a_run_survives(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a class that `_write_status` of a run takes for a warning."""
    monkeypatch.setitem(sys.modules, "prometheus_client", ModuleType("prometheus_client"))

    with pytest.raises(RepositoryError, match="the metrics cannot be made, ImportError"):
        refresh_status(instance.configure(metrics_file=str(instance.base / "m.prom")), instance.repository)
