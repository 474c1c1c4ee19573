"""Copies from the role's variables: secrets in their files, the repository made once, the first backup copied."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from role.playing import Controller, Story

# The scenario `offsite` plays it on real hosts.
pytestmark = [pytest.mark.thorough, pytest.mark.guarantee(7, 19)]

PASSWORD = "canary: 'the' \"password\" $HOME #1"
CONFIGURATION = "etc/tracker-backup"


@pytest.fixture(scope="module")
def story(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Return the plays: provisioned, once more as a dry run, and gone."""
    controller = Controller(clone, tmp_path_factory.mktemp("copies"))
    place = controller.directory / "nas"
    copy = {"name": "nas", "program": "restic", "repository": str(place), "keep": {"last": 3}}
    secrets = {"password": "{{ vault_password }}", "environment": "A_NAME=a value"}
    host = controller.host(
        "one",
        tracker_backup_copies=[{**copy, **secrets}],
        tracker_backup_install_packages=False,
        vault_password=PASSWORD,
    )
    told = Story(controller, host)
    told.play("first", "--diff")
    told.play("dry", "--check", "--diff")
    told.play("absent", "-e", "tracker_backup_state=absent")
    return told


def test_the_repository_is_made_once(story: Story) -> None:
    for name in ("first", "dry"):
        assert story.plays[name].code == 0, story.plays[name].output
    assert story.plays["first"].count("one", "changed") > 0
    assert story.plays["dry"].count("one", "changed") == 0


def test_the_first_backup_was_copied(story: Story, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORD, encoding="utf-8")
    there = subprocess.run(
        ["restic", "--repo", story.controller.directory / "nas", "--password-file", password, "snapshots", "--json"],
        check=True, capture_output=True,
    )  # fmt: skip
    (snapshot,) = json.loads(there.stdout)
    assert {"tracker-backup", "instance:default", "job:daily"} < set(snapshot["tags"])


def test_secrets_are_in_files_of_their_own_and_nowhere_else(story: Story) -> None:
    after = story.after["first"]
    found = {name: bytes.fromhex(text) for name, text in after.items() if name.startswith(CONFIGURATION)}
    assert found[f"{CONFIGURATION}/default.nas.password"] == f"{PASSWORD}\n".encode()
    assert found[f"{CONFIGURATION}/default.nas.environment"] == b"A_NAME=a value\n"
    assert [name for name, text in found.items() if b"canary" in text] == [f"{CONFIGURATION}/default.nas.password"]
    for play in story.plays.values():
        assert "canary" not in play.output


def test_absent_takes_them_away_and_says_that_the_copies_stay(story: Story) -> None:
    play = story.plays["absent"]
    assert play.code == 0, play.output
    assert "Copies in restic and borg stay" in play.message()
    assert [name for name in story.after["absent"] if "nas" in name] == []
    assert (story.controller.directory / "nas" / "config").exists()
