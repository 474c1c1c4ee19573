"""Two stacks on one host, named in one variable, from the first play to the removal of one, and of the other."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from role.playing import CANARY, CURRENT, TOLD, Controller, Result, Story, files, make_stack

pytestmark = pytest.mark.slow


def thoroughly(test: Callable[..., None]) -> Callable[..., None]:
    """Leave a test to `make faults`; the scenario `instances` plays the same on a real host."""
    marked: Callable[..., None] = pytest.mark.thorough(pytest.mark.guarantee(5, 7)(test))
    return marked


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
    items[1] = {"name": "test", "state": "absent"}
    controller.hosts["one"]["tracker_backup_notification_urls"] = []
    told.play("one gone", "--diff")
    items[:] = [{"name": "main", "state": "absent"}, {"name": "next"}]
    told.play("renamed", "--diff")
    told.play("absent", "-e", "tracker_backup_state=absent")
    return told


@thoroughly
@pytest.mark.parametrize("name", ["first", "one gone", "renamed", "absent"])
def test_every_play_ends_well_and_shows_no_secret(story: Story, name: str) -> None:
    play = story.plays[name]

    assert (play.code, play.count("one", "failed")) == (0, 0), play.output
    assert "canary" not in play.output


def configuration(listing: dict[str, str], name: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(bytes.fromhex(listing[f"etc/tracker-backup/{name}.yml"]))
    return found


@thoroughly
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


@thoroughly
def test_each_has_a_verified_backup(story: Story) -> None:
    for name in ("main", "test"):
        found = [path for path in story.after["first"] if path.startswith(f"var/backups/tracker-backup/{name}/2")]
        [manifest] = [path for path in found if path.endswith("/manifest.json")]
        assert json.loads(bytes.fromhex(story.after["first"][manifest]))["state"] == "verified"


@thoroughly
def test_one_goes_and_the_other_stays_as_it_was(story: Story) -> None:
    before, after = files(story.after["first"]), files(story.after["one gone"])

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


@thoroughly
def test_one_goes_and_another_comes_in_one_play(story: Story) -> None:
    """The program stays for it, which has no configuration yet as the other one goes."""
    after = story.after["renamed"]

    assert "etc/tracker-backup/main.yml" not in after
    assert configuration(after, "next")["stack"] == configuration(story.after["first"], "main")["stack"]
    assert "usr/local/bin/tracker-backup" in after
    assert any(name.startswith("var/backups/tracker-backup/next/2") for name in after)


@thoroughly
def test_the_program_goes_with_the_last(story: Story) -> None:
    assert files(story.after["absent"]) == {}


def with_two(controller: Controller, name: str) -> dict[str, Any]:
    """Add a host with two stacks; return the item of the second one."""
    controller.host(name)
    second = {"name": "test", "stack_dir": str(make_stack(controller.directory / f"second-of-{name}"))}
    controller.hosts[name]["tracker_backup_instances"] = [{"name": "main"}, second]
    return second


# Host -> what its second item has more, its variables, and what its message has to say.
REFUSED: dict[str, tuple[dict[str, str], dict[str, str], str]] = {
    "same": (
        {"repository": "/b"},
        {"tracker_backup_repository": "/b"},
        "main and test are in each other's way",
    ),
    "below": ({"repository": "/b/x"}, {"tracker_backup_repository": "/b"}, "/b/x is, or lies in, the repository /b"),
    "inside": ({"repository": "{stack}/backups"}, {}, "lies in, the stack"),
    "metrics": (
        {},
        {"tracker_backup_metrics_file": "/m/x.prom"},
        "metrics over each other's, to /m/x.prom",
    ),
    "names": ({"name": "main"}, {}, "Two items of tracker_backup_instances have the same name: main, main"),
    "both": ({}, {"tracker_backup_instance": "other"}, "leave one of them out"),
    "mistyped": ({"stackdir": "/x"}, {}, "stackdir"),
    "choice": ({"check": "sometimes"}, {}, "must be one of: auto, quick, full, none"),
}


@pytest.fixture(scope="module")
def refusals(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Controller]:
    """Return one play of hosts with one mistake each, up to the install stage."""
    controller = Controller(clone, tmp_path_factory.mktemp("refused"))
    for name, (item, variables, _) in REFUSED.items():
        stack = str(controller.directory / name / "stack")
        with_two(controller, name).update({key: value.format(stack=stack) for key, value in item.items()})
        controller.hosts[name] |= variables
    return controller.play("--forks", "4", "--tags", "tracker_backup_install"), controller


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_before_anything_is_changed(refusals: tuple[Result, Controller], name: str) -> None:
    play, controller = refusals

    assert play.count(name, "failed") == 1
    assert REFUSED[name][2] in play.failure(name)
    assert not (controller.directory / name / "host").exists()


def test_one_stage_of_both(controller: Controller) -> None:
    with_two(controller, "one")
    play = controller.play("--tags", "tracker_backup_deploy,tracker_backup_configure")

    assert play.code == 0, play.output
    command = controller.directory / "one/host/usr/local/bin/tracker-backup"
    said = subprocess.run([command, "list"], capture_output=True, text=True, check=False).stderr
    assert "several instances are configured: main, test" in said
