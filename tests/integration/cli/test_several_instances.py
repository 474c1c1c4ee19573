"""Two stacks on one host: what each command does where no instance is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.instance import Instance


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Instance, Instance]:
    """Return two instances, of which the first has a backup and the second has lost its repository."""
    north, south = Instance(tmp_path, "north"), Instance(tmp_path, "south")
    for instance in (north, south):
        instance.build()
        instance.configure()
        assert instance.run("init", "--instance", instance.name).returncode == 0
        assert instance.run("schedule", "apply", "--instance", instance.name).returncode == 0
    assert north.run("--instance", "north", "--now", "--quiet").returncode == 0
    (south.path / ".tracker-backup").unlink()
    return north, south


def test_status_shows_all_and_exits_with_the_worst(pair: tuple[Instance, Instance]) -> None:
    done = pair[0].run("status")

    lines = done.stdout.splitlines()
    assert done.returncode == 2
    assert lines[0] == "CRITICAL: north OK, south CRITICAL"
    assert "north: OK: every job has its verified backup" in lines
    assert any(line.startswith("south: CRITICAL: ") and "is the volume mounted?" in line for line in lines)
    assert pair[0].run("status", "--instance", "north").returncode == 0


def test_the_short_overview_names_a_command_that_works(pair: tuple[Instance, Instance]) -> None:
    assert "A backup now: sudo tracker-backup --instance NAME --now " in pair[0].run().stdout


def test_json_has_the_same_keys_and_each_instance(pair: tuple[Instance, Instance]) -> None:
    done = pair[0].run("status", "--json")

    found = json.loads(done.stdout)
    assert (done.returncode, found["state"]) == (2, "CRITICAL")
    assert [item["instance"] for item in found["instances"]] == ["north", "south"]
    assert [item["state"] for item in found["instances"]] == ["OK", "CRITICAL"]
    assert [(job["instance"], job["name"]) for job in found["jobs"]] == [("north", "daily")]
    assert {reason["instance"] for reason in found["reasons"]} == {"south"}
    alone = json.loads(pair[0].run("status", "--json", "--instance", "north").stdout)
    changing = {"written_at", "judged_at", "room"}  # the time, and a disk that is not ours alone
    steady = [{key: item[key] for key in item.keys() - changing} for item in (found["instances"][0], alone)]
    assert steady[0] == steady[1]
    assert found["instances"][0].keys() == alone.keys()


def test_one_that_cannot_be_read_hides_no_other(pair: tuple[Instance, Instance]) -> None:
    north, south = pair
    south.file.write_text("stack: [", encoding="utf-8")

    done = north.run("status")

    assert done.returncode == 3, "unknown is worse than well"
    assert done.stdout.startswith("UNKNOWN: north OK, south UNKNOWN\n")
    assert "not valid YAML" in done.stdout


def test_without_a_command_all_are_shown(pair: tuple[Instance, Instance]) -> None:
    done = pair[0].run()

    assert done.returncode == 0
    assert "north: OK\n" in done.stdout
    assert "south: CRITICAL\n" in done.stdout


@pytest.mark.parametrize("words", [["--now"], ["list"], ["doctor"], ["prune"], ["schedule", "apply"], ["verify"]])
def test_other_commands_say_which_there_are(pair: tuple[Instance, Instance], words: list[str]) -> None:
    done = pair[0].run(*words)

    assert done.returncode == 2
    assert "several instances are configured: north, south" in done.stderr
    assert "--instance NAME" in done.stderr


def test_what_to_do_names_the_instance(tmp_path: Path) -> None:
    """Also of the one called default, which needs no name where it is alone."""
    default, south = Instance(tmp_path), Instance(tmp_path, "south")
    for instance in (default, south):
        instance.build()
        instance.configure()
        instance.repository.init()

    said = default.run("status").stdout

    assert "tracker-backup --instance default schedule apply" in said
    assert "tracker-backup --instance south schedule apply" in said
    south.file.unlink()
    assert "tracker-backup schedule apply" in default.run("status").stdout


def test_two_with_one_repository_back_nothing_up(pair: tuple[Instance, Instance]) -> None:
    north, south = pair
    south.configure(repository=str(north.path))

    for words in (["--now"], ["config", "check"], ["init"]):
        done = south.run("--instance", "south", *words)
        assert (done.returncode, "are not apart" in done.stderr) == (2, True), done
    assert "are not apart" in north.run("--instance", "north", "doctor").stdout
    assert north.run("--instance", "north", "list").returncode == 0, "a restore may be what is needed now"


@pytest.mark.guarantee(12)
@pytest.mark.parametrize("shared", ["repository", "state_directory"])
@pytest.mark.parametrize("words", [["--if-due"], ["--if-due", "--after-boot"], ["--job", "daily"]])
def test_a_conflict_is_in_status_and_log(pair: tuple[Instance, Instance], shared: str, words: list[str]) -> None:
    north, south = pair
    south.repository.init()
    south.configure(**{shared: north.document()[shared]})

    for instance in pair:
        asked = instance.run("--instance", instance.name, "status")
        assert (asked.returncode, asked.stdout.startswith("CRITICAL: no backup is made: ")) == (2, True), asked
        assert "it is in conflict with another instance" in asked.stdout
        assert f"{shared}: " in asked.stdout

        refused = instance.run("--instance", instance.name, "--now", "--quiet", *words)

        assert (refused.returncode, f"log: {instance.log}" in refused.stderr) == (2, True), refused
        logged = instance.log.read_text(encoding="utf-8")
        assert " ERROR " in logged
        assert "job=daily exit=2 " in logged
        assert "it is in conflict with another instance" in logged

    last = json.loads(south.run("--instance", "south", "status", "--json").stdout)["last_run"]
    assert (last["exit_code"], "it is in conflict" in last["message"]) == (2, True)
    assert len(north.ids()) == 1


@pytest.mark.guarantee(12)
def test_who_may_not_look_hears_of_a_conflict_too(pair: tuple[Instance, Instance]) -> None:
    """What stands in status.json is what monitoring reads without being root."""
    north, south = pair
    south.repository.init()
    south.configure(repository=str(north.path))

    assert north.run("--instance", "north", "--now", "--quiet").returncode == 2

    written = north.status()
    assert written["state"] == "CRITICAL"
    assert "it is in conflict with another instance" in written["reasons"][0]["text"]
