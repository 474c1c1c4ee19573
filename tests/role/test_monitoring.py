"""Metrics, alert rules and dashboard on a host: put there on request, and gone with the setting and the instance."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from role.playing import ROLE, Controller, Story

pytestmark = pytest.mark.slow
STAGES = ("--tags", "tracker_backup_deploy,tracker_backup_monitoring,tracker_backup_configure,tracker_backup_schedule")
SETTINGS = ("--tags", "tracker_backup_monitoring,tracker_backup_configure,tracker_backup_schedule")
RULES, DASHBOARD = "rules/tracker-backup.rules.yml", "dashboards/tracker-backup-dashboard.json"


@pytest.fixture(scope="module")
def story(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Return the plays of a host whose metrics move, are given up, come back, and go with all the rest."""
    controller = Controller(clone, tmp_path_factory.mktemp("monitored"))
    host = controller.host("one")
    for name in ("textfile", "rules", "dashboards"):
        (host / name).mkdir(parents=True)
    variables = controller.hosts["one"]
    variables |= {
        "tracker_backup_prometheus_rules_dir": str(host / "rules"),
        "tracker_backup_grafana_dashboards_dir": str(host / "dashboards"),
        "tracker_backup_metrics_file": str(host / "textfile/one.prom"),
    }
    told = Story(controller, host)
    told.play("first", *STAGES)
    told.play("second", *STAGES)
    variables["tracker_backup_metrics_file"] = str(host / "textfile/two.prom")
    told.play("elsewhere", *SETTINGS)
    variables["tracker_backup_metrics_file"] = ""
    told.play("given up", *SETTINGS)
    variables["tracker_backup_metrics_file"] = str(host / "textfile/three.prom")
    told.play("again", *SETTINGS)
    told.play("absent", "-e", "tracker_backup_state=absent")
    return told


def metrics(story: Story, name: str) -> list[str]:
    """Return the files of metrics that there are after a play."""
    return sorted(path for path in story.after[name] if path.startswith("textfile/"))


@pytest.mark.parametrize("name", ["first", "second", "elsewhere", "given up", "again", "absent"])
def test_every_play_ends_well(story: Story, name: str) -> None:
    assert (story.plays[name].code, story.plays[name].count("one", "failed")) == (0, 0), story.plays[name].output


def test_a_play_without_news_changes_nothing(story: Story) -> None:
    assert story.plays["second"].count("one", "changed") == 0, story.plays["second"].output


def test_metrics_are_there_at_once_and_readable_by_all(story: Story) -> None:
    [name] = metrics(story, "first")

    assert name == "textfile/one.prom"
    assert b'tracker_backup_info{backup_instance="default"' in bytes.fromhex(story.after["first"][name])


def test_rules_and_dashboard_are_the_role_s(story: Story) -> None:
    rules, dashboard = (bytes.fromhex(story.after["first"][name]) for name in (RULES, DASHBOARD))

    assert rules == (ROLE / "files/monitoring/tracker-backup.rules.yml").read_bytes()
    assert yaml.safe_load(rules)["groups"]
    assert json.loads(dashboard)["panels"]


def test_only_the_file_that_is_written_is_there(story: Story) -> None:
    assert metrics(story, "elsewhere") == ["textfile/two.prom"]
    assert metrics(story, "given up") == []
    assert metrics(story, "again") == ["textfile/three.prom"]


def test_all_of_it_goes_with_the_instance(story: Story) -> None:
    assert not [path for path in story.after["absent"] if path.startswith(("textfile/", "rules/", "dashboards/"))]
