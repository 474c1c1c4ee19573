"""What would go wrong tonight, seen today."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.instance import Instance, a_manifest, an_artifact
from tracker_backup.health import doctor
from tracker_backup.health.doctor import examine
from tracker_backup.health.finding import FAIL, OK, WARN, Finding
from tracker_backup.schedule import service


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instance:
    instance = Instance(tmp_path)
    instance.build()
    service.apply(instance.configure(ping_url="https://ping.invalid/canary"))
    instance.repository.init()
    return instance


def findings(instance: Instance, **changes: Any) -> list[Finding]:
    return examine(instance.configure(**{"ping_url": "https://ping.invalid/canary", **changes}))


def bad(instance: Instance, **changes: Any) -> list[tuple[str, str]]:
    return [(item.level, f"{item.what} | {item.remedy}") for item in findings(instance, **changes) if item.level != OK]


def test_all_is_well(instance: Instance) -> None:
    assert bad(instance) == []
    assert "canary" not in str(findings(instance))


def test_one_backup_is_counted_as_one(instance: Instance) -> None:
    none = findings(instance)
    instance.add(a_manifest(artifacts=(an_artifact(),)))

    assert any(item.what.endswith(": 0 backups, 0 complete and verified") for item in none)
    assert any(item.what.endswith(": 1 backup, 1 complete and verified") for item in findings(instance))


def test_nothing_is_changed_by_looking(instance: Instance) -> None:
    before = sorted((path, path.lstat().st_mtime_ns) for path in instance.base.rglob("*") if "etc" not in path.parts)
    findings(instance)
    after = sorted((path, path.lstat().st_mtime_ns) for path in instance.base.rglob("*") if "etc" not in path.parts)

    assert [path for path, _ in after] == [path for path, _ in before]


def test_a_stack_that_another_instance_backs_up_too(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_BACKUP_CONFIG_DIRECTORY", str(instance.etc))
    source = {"name": "tracker", "type": "sqlite", "path": str(instance.database)}
    Instance(instance.base, "other").configure(stack=str(instance.database.parent), sources=[source])

    ((level, told),) = [item for item in bad(instance) if "another instance" in item[1] or "twice" in item[1]]

    assert level == WARN
    assert told.startswith(f"backed up twice: instance other backs up the stack {instance.database.parent}, too")
    assert "`state: absent`" in told


@pytest.mark.parametrize(("name", "level"), [("zstd", FAIL), ("sqlite3", WARN)])
def test_a_missing_program(instance: Instance, monkeypatch: pytest.MonkeyPatch, name: str, level: str) -> None:
    find = doctor.find_program
    monkeypatch.setattr(doctor, "find_program", lambda wanted: None if wanted == name else find(wanted))

    assert (level, f"the program {name} is not installed | sudo apt-get install {name}") in bad(instance)


def test_a_missing_library(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sh", None)

    assert (FAIL, "the Python library sh is missing | sudo apt-get install python3-sh") in bad(instance)


def test_a_repository_that_is_not_mounted(instance: Instance) -> None:
    (instance.path / ".tracker-backup").unlink()

    assert any(level == FAIL and "is the volume mounted?" in text for level, text in bad(instance))


def test_a_damaged_backup_and_a_quarantined_one(instance: Instance) -> None:
    (instance.path / "20261101T030000Z-daily").mkdir()
    (instance.path / ".quarantine" / "20261102T030000Z-daily").mkdir(parents=True)

    told = bad(instance)
    assert [level for level, _ in told] == [WARN, WARN]
    assert "20261101T030000Z-daily" in told[0][1]
    assert "in quarantine" in told[1][1]


def test_a_database_that_is_not_there(instance: Instance) -> None:
    instance.database.unlink()

    assert [(level, str(instance.database) in text) for level, text in bad(instance)] == [(FAIL, True)]


def test_what_keeps_the_stack_from_being_read_is_told_once(instance: Instance) -> None:
    (instance.database.parent / "compose.yaml").write_text("services: [")

    told = [text for level, text in bad(instance, sources=None) if level == FAIL and "compose.yaml" in text]

    assert len(told) == 1, told


def test_the_rollback_journal_is_recommended_away(instance: Instance) -> None:
    with closing(sqlite3.connect(instance.database)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")

    found = next(item for item in findings(instance) if item.what.startswith("tracker: "))
    assert "writes wait for about" in found.what
    assert "PRAGMA journal_mode=WAL" in found.remedy


def test_a_disk_without_room(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker_backup.system.space.free_bytes", lambda _: 1000)

    assert any(level == FAIL and "not enough room" in text for level, text in bad(instance))


def test_a_policy_that_cannot_fit(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """The room for a run is there, the room for all that is to be kept is not."""
    instance.add(a_manifest(artifacts=(an_artifact(bytes=600, raw_bytes=1000),)))
    left = instance.database.stat().st_size * 10
    monkeypatch.setattr("tracker_backup.run.capacity.free_bytes", lambda _: 64 * 1024**2 + left)

    told = bad(instance, jobs=[{"name": "daily", "schedule": "0 3 * * *", "keep": {"last": 10, "daily": 10}}])

    assert [level for level, _ in told] == [FAIL]
    assert "policy x size = " in told[0][1]
    assert "the 19 backups that `keep` allows" in told[0][1]
    assert "of 19: lower `keep` of the jobs in" in told[0][1]


def test_no_schedule_at_all(instance: Instance) -> None:
    told = bad(instance, jobs=[{"name": "daily"}])

    assert any(level == WARN and "nothing runs by itself" in text for level, text in told)


def test_a_schedule_that_was_not_applied(instance: Instance) -> None:
    instance.crontab.unlink()

    assert any(level == FAIL and "default.yml schedule apply" in text for level, text in bad(instance))


def test_nobody_hears_of_a_bad_night(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    find = doctor.find_program
    monkeypatch.setattr(doctor, "find_program", lambda wanted: None if wanted == "sendmail" else find(wanted))

    told = bad(instance, ping_url=None)
    assert [level for level, _ in told] == [WARN]
    assert "neither a mail agent nor a ping_url" in told[0][1]


@pytest.mark.parametrize(
    ("mode", "library", "expected"),
    [
        (0o600, "", []),
        (0o644, "", [FAIL]),
        (0o600, "apprise", [FAIL]),
        (0o640, "apprise", [FAIL, FAIL]),
    ],
)
def test_notifications_are_enough_where_they_can_be_sent(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, mode: int, library: str, expected: list[str]
) -> None:
    find, look = doctor.find_program, doctor.importlib.util.find_spec
    monkeypatch.setattr(doctor, "find_program", lambda wanted: None if wanted == "sendmail" else find(wanted))
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None if name == library else look(name))
    urls = instance.base / "default.urls"
    urls.write_text("json://canary.invalid\n")
    urls.chmod(mode)

    told = bad(instance, ping_url=None, notifications={"urls_file": str(urls)})

    assert [level for level, _ in told] == expected
    assert all("chmod 0600" in text or "apt-get install apprise" in text for _, text in told)
    assert "canary" not in str(findings(instance, notifications={"urls_file": str(urls)}))


def test_a_mail_agent_is_enough(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    find = doctor.find_program
    monkeypatch.setattr(doctor, "find_program", lambda wanted: Path("/x") if wanted == "sendmail" else find(wanted))

    assert bad(instance, ping_url=None) == []


def test_metrics_are_looked_at_where_they_are_asked_for(
    instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKER_BACKUP_CONFIG_DIRECTORY", str(instance.etc))
    service.apply(instance.configure())
    path = str(tmp_path / "m.prom")
    assert bad(instance, metrics_file=path) == []
    assert not [item for item in findings(instance) if "Prometheus" in item.what]

    [(level, said)] = bad(instance, metrics_file=str(tmp_path / "none" / "m.prom"))
    assert (level, "there is no directory" in said, "prometheus-node-exporter" in said) == (WARN, True, True)

    other = Instance(instance.base, "other")
    other.build()
    other.configure(metrics_file=path)
    said = " ".join(said for _, said in bad(instance, metrics_file=path))
    assert f"{path} is that of instance other, too" in said

    other.file.unlink()
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    [(level, said)] = bad(instance, metrics_file=path)
    assert (level, "apt-get install python3-prometheus-client" in said) == (WARN, True)
