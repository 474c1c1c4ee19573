"""A provisioned host to which things happen: what the next play makes of them."""

from __future__ import annotations

import fcntl
import json
import re
from pathlib import Path

import pytest

from role.playing import Controller, Story, files

pytestmark = pytest.mark.slow


def damage(deployed: Path) -> None:
    """Edit, remove and add files of the program on the host."""
    with (deployed / "__init__.py").open("a") as file:
        file.write("# edited on the host\n")
    (deployed / "errors.py").unlink()
    (deployed / "added.py").write_text("# nobody knows why\n")


@pytest.fixture(scope="module")
def story(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Return what happened to one host, and the plays after each mishap."""
    controller = Controller(clone, tmp_path_factory.mktemp("mishaps"))
    host = controller.host("one")
    told = Story(controller, host)
    told.play("first", "--tags", "tracker_backup_deploy,tracker_backup_configure,tracker_backup_schedule")
    damage(told.deployed)
    told.look("damaged")
    told.play("damaged check", "--check", "--diff")
    told.play("healed", "--tags", "tracker_backup_deploy")
    database = controller.directory / "one/stack/storage/tracker/lib/database/tracker.db"
    sound = database.read_bytes()
    database.write_bytes(b"no database" * 1000)
    told.play("doctor", "--tags", "tracker_backup_verify")
    database.write_bytes(sound)
    bad = {"tracker_backup_jobs": [{"name": "daily", "schedule": "99 3 * * *"}, {"name": "daily"}]}
    told.play("bad", "--tags", "tracker_backup_configure", "-e", json.dumps(bad))
    marker = host / "var/backups/tracker-backup/default/.tracker-backup"
    marker.rename(marker.with_name("hidden"))
    told.play("unmounted", "--tags", "tracker_backup_configure")
    marker.with_name("hidden").rename(marker)
    elsewhere = f"tracker_backup_schedule_target={host}/elsewhere"
    told.play("moved", "--tags", "tracker_backup_configure,tracker_backup_schedule", "-e", elsewhere)
    away = ("-e", "tracker_backup_state=absent")
    with (marker.parent / ".lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        told.play("absent too early", *away, "-e", "tracker_backup_remove_wait_seconds=0")
    damage(told.deployed)
    told.play("absent and damaged", *away)
    return told


def test_files_changed_on_the_host_are_seen_line_by_line(story: Story) -> None:
    """By a dry run of everything, which finds nothing else to change on a provisioned host."""
    play = story.plays["damaged check"]
    steps = re.findall(r"^TASK \[(?:[^\n]*)\] \*+\n(?:(?!TASK).*\n)*?changed: ", play.output, re.MULTILINE)

    assert play.code == 0, play.output
    assert "-# edited on the host" in play.output
    assert "added.py" in play.output
    assert len(steps) == 2, play.output
    assert story.after["damaged check"] == story.after["damaged"]


def test_files_changed_on_the_host_are_healed(story: Story) -> None:
    play = story.plays["healed"]
    program = "usr/local/lib/tracker-backup/"

    assert play.code == 0, play.output
    assert play.count("one", "changed") > 0
    assert {name: text for name, text in story.after["healed"].items() if name.startswith(program)} == {
        name: text for name, text in story.after["first"].items() if name.startswith(program)
    }


def test_what_would_fail_tonight_fails_the_play(story: Story) -> None:
    """Before a first backup is tried."""
    play = story.plays["doctor"]

    assert play.code != 0
    assert "The backup is in place but would fail tonight" in play.message()
    assert [name for name in story.after["doctor"] if "Z-daily" in name] == []


def test_bad_configuration_tells_all_errors_and_changes_nothing(story: Story) -> None:
    play = story.plays["bad"]

    assert play.code != 0
    assert "jobs[0].schedule" in play.output
    assert "the name 'daily' is used 2 times" in play.message()
    assert "etc/tracker-backup/default.yml" in play.output
    assert files(story.after["bad"]) == files(story.after["healed"])


def test_repository_that_is_not_mounted_is_not_made_anew(story: Story) -> None:
    """An empty mount point would otherwise fill the root disk, and look like a fresh start."""
    play = story.plays["unmounted"]

    assert play.code != 0
    assert "is the volume mounted?" in play.message()
    assert files(story.after["unmounted"]) == files(story.after["healed"])


def test_schedule_that_moves_is_not_left_behind(story: Story) -> None:
    play = story.plays["moved"]
    moved = set(story.after["moved"]) ^ set(story.after["unmounted"])

    assert play.code == 0, play.output
    assert {name for name in moved if not name.startswith("var/")} == {
        "elsewhere",
        "etc/cron.d/tracker-backup-default",
    }


def test_absent_takes_nothing_away_from_a_backup_under_way(story: Story) -> None:
    play = story.plays["absent too early"]

    assert play.code != 0
    assert "is still running" in play.message()
    assert "etc/tracker-backup/default.yml" in story.after["absent too early"]
    assert "elsewhere" not in story.after["absent too early"]


def test_absent_needs_no_sound_program(story: Story) -> None:
    play = story.plays["absent and damaged"]

    assert play.code == 0, play.output
    assert files(story.after["absent and damaged"]) == {}
