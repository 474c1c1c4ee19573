"""Two stacks on one host, named in one variable, from the first play to the removal of one, and of the other."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from role.playing import CANARY, CURRENT, TOLD, Controller, Story, files, make_stack

pytestmark = pytest.mark.slow
JOBS = [{"name": "often", "schedule": "40 4 * * *", "keep": {"last": 3}}]


@pytest.fixture(scope="module")
def story(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Return the plays of a host with two stacks."""
    controller = Controller(clone, tmp_path_factory.mktemp("instances"))
    host = controller.host("one", tracker_backup_min_free="1 MiB", tracker_backup_notification_urls=[TOLD])
    second = make_stack(controller.directory / "second")
    items = [{"name": "main"}, {"name": "test", "stack_dir": str(second), "jobs": JOBS, "ping_url": CANARY}]
    controller.hosts["one"]["tracker_backup_instances"] = items
    told = Story(controller, host)
    told.play("first", "--diff", "-vvv")
    told.play("second", "--diff")
    items[1] = {"name": "test", "state": "absent"}
    controller.hosts["one"]["tracker_backup_notification_urls"] = []
    told.play("one gone", "--diff")
    told.play("absent", "-e", "tracker_backup_state=absent")
    return told


@pytest.mark.parametrize("name", ["first", "second", "one gone", "absent"])
def test_every_play_ends_well_and_shows_no_secret(story: Story, name: str) -> None:
    play = story.plays[name]

    assert (play.code, play.count("one", "failed")) == (0, 0), play.output
    assert "canary" not in play.output


def test_a_play_without_news_changes_nothing(story: Story) -> None:
    assert story.plays["second"].count("one", "changed") == 0, story.plays["second"].output


def configuration(listing: dict[str, str], name: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(bytes.fromhex(listing[f"etc/tracker-backup/{name}.yml"]))
    return found


def test_each_has_what_is_its_own_and_the_rest_in_common(story: Story) -> None:
    listing = story.after["first"]
    main, test = (configuration(listing, name) for name in ("main", "test"))

    assert (main["stack"], test["stack"]) == (
        str(story.controller.directory / "one/stack"),
        str(story.controller.directory / "second"),
    )
    assert test["jobs"] == JOBS
    assert main["jobs"] != JOBS
    assert ("ping_url" in main, test["ping_url"]) == (False, CANARY)
    assert main["min_free"] == test["min_free"] == "1 MiB"
    assert str(test["repository"]).endswith("/var/backups/tracker-backup/test")


def test_each_has_a_verified_backup(story: Story) -> None:
    for name in ("main", "test"):
        found = [path for path in story.after["first"] if path.startswith(f"var/backups/tracker-backup/{name}/2")]
        [manifest] = [path for path in found if path.endswith("/manifest.json")]
        assert json.loads(bytes.fromhex(story.after["first"][manifest]))["state"] == "verified"


def test_one_goes_and_the_other_stays_as_it_was(story: Story) -> None:
    before, after = files(story.after["second"]), files(story.after["one gone"])

    assert set(before) - set(after) == {
        "etc/cron.d/tracker-backup-test",
        "etc/logrotate.d/tracker-backup-test",
        "etc/tracker-backup/test.yml",
        "etc/tracker-backup/test.urls",
        "etc/tracker-backup/main.urls",  # nobody is told any more
    }
    main = "etc/tracker-backup/main.yml"
    assert {name: before[name] for name in after if name != main} == {
        name: after[name] for name in after if name != main
    }
    assert "notifications" in configuration(before, "main")
    assert "notifications" not in configuration(after, "main")
    assert f"{CURRENT}/__main__.py" in after or any("/tracker_backup/__main__.py" in name for name in after)
    assert any(name.startswith("var/backups/tracker-backup/test/2") for name in story.after["one gone"])


def test_the_program_goes_with_the_last(story: Story) -> None:
    assert files(story.after["absent"]) == {}


@pytest.fixture
def two(controller: Controller) -> Controller:
    """Return a controller whose host has two stacks."""
    controller.host("one")
    controller.hosts["one"]["tracker_backup_instances"] = [
        {"name": "main"},
        {"name": "test", "stack_dir": str(make_stack(controller.directory / "second"))},
    ]
    return controller


@pytest.mark.parametrize(
    ("item", "variables", "said"),
    [
        ({"repository": "/b"}, {"tracker_backup_repository": "/b"}, "Instances main and test are in each other's way"),
        ({"repository": "/b/x"}, {"tracker_backup_repository": "/b"}, "/b/x is, or lies in, the repository /b"),
        ({"repository": "{stack}/backups"}, {}, "lies in, the stack"),
        ({}, {"tracker_backup_metrics_file": "/m/x.prom"}, "write their metrics over each other's, to /m/x.prom"),
        ({"name": "main"}, {}, "Two items of tracker_backup_instances have the same name: main, main"),
        ({}, {"tracker_backup_instance": "other"}, "leave one of them out"),
        ({"stackdir": "/x"}, {}, "stackdir"),
        ({"check": "sometimes"}, {}, "must be one of: auto, quick, full, none"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_changed(
    two: Controller, item: dict[str, str], variables: dict[str, str], said: str
) -> None:
    host = two.hosts["one"]
    host |= variables
    stack = str(two.directory / "one/stack")
    host["tracker_backup_instances"][1] |= {key: value.format(stack=stack) for key, value in item.items()}

    play = two.play("--tags", "tracker_backup_install")

    assert play.count("one", "failed") == 1
    assert said in play.message()
    assert not (two.directory / "one/host").exists()


def test_one_stage_of_both(two: Controller) -> None:
    play = two.play("--tags", "tracker_backup_deploy,tracker_backup_configure")

    assert play.code == 0, play.output
    command = two.directory / "one/host/usr/local/bin/tracker-backup"
    said = subprocess.run([command, "list"], capture_output=True, text=True, check=False).stderr
    assert "several instances are configured: main, test" in said
