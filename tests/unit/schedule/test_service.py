"""The schedule of a configuration, from its file to the crontab."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tracker_backup.config.load import build_config
from tracker_backup.config.model import Config
from tracker_backup.errors import ConfigurationError
from tracker_backup.schedule import service
from tracker_backup.schedule.targets.cron_directory import CronDirectory
from tracker_backup.schedule.targets.user_table import UserCrontab


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put cron's own places below a directory, which is returned."""
    for name, place in (("CRON_DIRECTORY", "cron.d"), ("SPOOL", "crontabs")):
        (tmp_path / place).mkdir()
        monkeypatch.setattr(service, name, tmp_path / place)
    return tmp_path


@pytest.fixture
def config(tmp_path: Path) -> Config:
    document = {
        "stack": "/opt/torrust",
        "repository": "/var/backups/tracker-backup/default",
        "jobs": [{"name": "daily", "schedule": "0 3 * * *"}, {"name": "by-hand"}],
        "schedule": {"target": str(tmp_path / "crontab.txt")},
    }
    return build_config(document, Path("/etc/tracker-backup/default.yml"))


def aimed_at(config: Config, target: str) -> Config:
    return replace(config, schedule=replace(config.schedule, target=target))


def test_apply_inspect_remove(config: Config, tmp_path: Path) -> None:
    assert not service.inspect(config).present
    assert service.apply(config, dry_run=True)
    assert service.apply(config)
    assert not service.apply(config)
    state = service.inspect(config)
    assert (state.where, state.present, state.matches, state.problems) == (
        str(tmp_path / "crontab.txt"),
        True,
        True,
        (),
    )
    assert [entry.label for entry in state.entries] == ["job daily", "what was missed or failed", "after a boot"]
    assert service.remove(config)
    assert not service.remove(config)
    assert not (tmp_path / "crontab.txt").exists()


def test_the_lines_call_the_launcher_with_the_instance(config: Config) -> None:
    start = "/usr/local/bin/tracker-backup --instance default --now"
    assert all(entry.command.startswith(start) for entry in service.entries_of(config))


def test_a_schedule_that_cron_could_not_take_leaves_the_running_one(config: Config, tmp_path: Path) -> None:
    service.apply(config)
    before = (tmp_path / "crontab.txt").read_bytes()
    bad = replace(config, jobs=(replace(config.jobs[0], schedule="0 3 31 2 *"),))
    with pytest.raises(ConfigurationError, match="never run"):
        service.apply(bad)
    assert (tmp_path / "crontab.txt").read_bytes() == before


def test_remove_works_with_a_schedule_that_is_wrong_by_now(config: Config) -> None:
    service.apply(config)
    assert service.remove(replace(config, jobs=(replace(config.jobs[0], schedule="99 3 * * *"),)))


def test_jobs_by_hand_only_have_no_entries(config: Config) -> None:
    service.apply(config)
    by_hand = replace(config, jobs=config.jobs[1:])
    assert service.entries_of(by_hand) == ()
    assert service.apply(by_hand)
    assert service.inspect(by_hand) == service.ScheduleState(
        config.schedule.target, present=False, matches=True, problems=(), entries=()
    )


def test_entries_in_the_former_target_are_told_and_removed(config: Config, places: Path) -> None:
    """Each job would run twice. The file here has the owner that the test has."""
    service.apply(aimed_at(config, "cron.d"))
    service.apply(config)
    former = places / "cron.d" / "tracker-backup-default"
    assert not former.exists()
    service.apply(aimed_at(config, "cron.d"))
    assert any(str(former) in problem for problem in service.inspect(config).problems)
    assert service.apply(config, dry_run=True)
    assert former.exists()
    assert service.apply(config)
    assert not former.exists()
    assert service.inspect(config).problems == ()


def test_a_namesake_of_another_launcher_is_left_alone(config: Config, places: Path) -> None:
    """A demo next to the real thing, say."""
    other = replace(config, schedule=replace(config.schedule, target="cron.d", command=Path("/srv/demo/run")))
    service.apply(other)
    before = (places / "cron.d" / "tracker-backup-default").read_bytes()
    (places / "crontabs" / "root").write_bytes(b"0 3 * * * /srv/demo/run --instance default --now\n")
    service.apply(config)
    assert service.inspect(config).problems == ()
    service.remove(config)
    assert (places / "cron.d" / "tracker-backup-default").read_bytes() == before


def test_entries_in_a_users_table_are_told(config: Config, places: Path) -> None:
    call = b"/usr/local/bin/tracker-backup --instance default --now"
    (places / "crontabs" / "root").write_bytes(b"0 3 * * * " + call + b" --quiet\n")
    assert [problem for problem in service.inspect(config).problems if problem.startswith("crontab of root: ")]


def test_cron_is_asked_about_its_own_directory_only(config: Config) -> None:
    assert service.refusals(config) == ()
    assert service.refusals(aimed_at(config, "cron.d")) == ()


def test_the_three_targets(config: Config, places: Path) -> None:
    cron_d = service.target_of(aimed_at(config, "cron.d"))
    assert isinstance(cron_d, CronDirectory)
    assert cron_d.where == f"{places}/cron.d/tracker-backup-default"
    table = service.target_of(aimed_at(config, "crontab"))
    assert isinstance(table, UserCrontab)
    assert table.where == "crontab of root"
    with pytest.raises(ConfigurationError, match="neither"):
        service.target_of(aimed_at(config, "crontab.txt"))


def test_a_user_that_no_line_can_hold(config: Config) -> None:
    with pytest.raises(ConfigurationError, match=r"schedule\.user"):
        service.entries_of(replace(config, schedule=replace(config.schedule, user="root x")))
