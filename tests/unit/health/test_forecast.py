"""The doctor says what tonight's copy will cost in seconds, and what WAL mode would make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.instance import Instance, a_manifest, an_artifact
from support.sqlite_world import OtherProcess
from support.tracker_standin import build_database
from tracker_backup.health.doctor import examine_sources
from tracker_backup.health.finding import FAIL, OK, WARN, Finding
from tracker_backup.run.rates import note_rate
from tracker_backup.sources.sqlite import facts as finding

MIB = 1024**2


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instance:
    """Return an instance whose database has a rollback journal and 1 MiB; its service runs."""
    made = Instance(tmp_path)
    made.database.parent.mkdir()
    build_database(made.database, mib=1, journal_mode="delete")
    made.configure()
    made.repository.init()
    monkeypatch.setattr(finding, "service_state", lambda _stack, _service: "running")
    return made


def forecast(instance: Instance, **changes: Any) -> Finding:
    """Return what is found about the tracker's database, the first of all findings."""
    found = examine_sources(instance.configure(**changes))[0]
    assert found.what.startswith("tracker: ")
    return found


def copied_at(instance: Instance, rate: float, method: str = "pinned") -> None:
    """Let there be a backup whose copy was that many bytes a second fast."""
    artifact = an_artifact(raw_bytes=int(rate * 10), copy_seconds=10.0, method=method)
    instance.add(a_manifest(artifacts=(artifact,)))


def test_a_stall_is_told_in_seconds_with_what_would_save_it(instance: Instance) -> None:
    copied_at(instance, MIB)

    found = forecast(instance)

    assert found.level == OK
    assert "the tracker's writes wait for about 1.0 s" in found.what
    assert found.remedy.startswith("in WAL mode it would cost the tracker 0 s instead of 1.0, every night")
    assert "sqlite_journal_mode: wal" in found.remedy
    assert f"sqlite3 {instance.database} 'PRAGMA journal_mode=WAL'" in found.remedy


def test_a_pause_is_a_warning(instance: Instance) -> None:
    copied_at(instance, MIB / 10)

    found = forecast(instance)

    assert found.level == WARN
    assert "its service is paused for about 10.2 s" in found.what
    assert "0 s instead of 10.2" in found.remedy


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sqlite_when_busy": "refuse"}, "sqlite_when_busy is refuse"),
        ({"max_pause_seconds": 10}, "max_pause_seconds is 10"),
    ],
)
def test_a_refusal_is_a_failure_tonight(instance: Instance, changes: dict[str, Any], why: str) -> None:
    copied_at(instance, MIB / 10)

    found = forecast(instance, **changes)

    assert found.level == FAIL
    assert "would stop the tracker's writes for 10.2 s" in found.what
    assert why in found.what
    assert "PRAGMA journal_mode=WAL" in found.remedy


def test_what_was_given_up_is_what_is_predicted_from(instance: Instance) -> None:
    """It outweighs the copy that went well before it, and that a trial."""
    copied_at(instance, 10 * MIB)
    note_rate(instance.state, "tracker", MIB / 5)

    assert "its service is paused for about 5." in forecast(instance).what


def test_without_any_past_a_trial_tells(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "trial_rate", lambda _path: MIB / 20)

    assert "its service is paused for about 20." in forecast(instance).what


@pytest.mark.parametrize("method", ["clone", "recovered"])
def test_a_copy_that_moved_no_bytes_tells_nothing(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    copied_at(instance, 1000 * MIB, method)
    monkeypatch.setattr(finding, "trial_rate", lambda _path: MIB / 20)

    assert "its service is paused for about 20." in forecast(instance).what


def test_wal_mode_costs_nothing_and_there_is_nothing_to_advise(instance: Instance) -> None:
    with OtherProcess(instance.database) as tracker:
        tracker.run("PRAGMA journal_mode=WAL")
    copied_at(instance, MIB / 1000)

    found = forecast(instance)

    assert (found.level, found.remedy) == (OK, "")
    assert "the tracker goes on meanwhile" in found.what


def test_what_will_be_switched_tonight_costs_nothing(instance: Instance) -> None:
    """And it is not switched by looking."""
    copied_at(instance, MIB / 10)
    before = instance.database.read_bytes()

    found = forecast(instance, sqlite_journal_mode="wal")

    assert (found.level, found.remedy) == (OK, "")
    assert "the tracker goes on meanwhile" in found.what
    assert instance.database.read_bytes() == before


def test_what_cannot_be_switched_costs_what_it_costs(instance: Instance) -> None:
    copied_at(instance, MIB / 10)
    instance.database.with_name("another-name.db").hardlink_to(instance.database)

    assert "its service is paused for about 10.2 s" in forecast(instance, sqlite_journal_mode="wal").what


def test_looking_changes_nothing(instance: Instance) -> None:
    """Not even files beside a database in WAL mode that nobody has open."""
    build_database(instance.database.with_name("wal.db"), mib=0.1)
    both = [
        {"name": name, "type": "sqlite", "path": str(instance.database.with_name(f"{name}.db"))}
        for name in ("tracker", "wal")
    ]
    config = instance.configure(sources=both)
    before = {path: path.stat().st_mtime_ns for path in instance.base.rglob("*")}

    assert {found.level for found in examine_sources(config)} == {OK}

    assert {path: path.stat().st_mtime_ns for path in instance.base.rglob("*")} == before
