"""What somebody without rights sees: the status for monitoring, and for the rest the sudo line."""

from __future__ import annotations

import json

import pytest

from support.instance import Instance, nobody


@pytest.fixture
def backed_up(instance: Instance) -> Instance:
    """An instance with a backup, of which others may read the configuration and nothing else."""
    instance.run("--now", "--quiet")
    instance.file.chmod(0o644)
    return instance


def test_monitoring_reads_the_status_as_it_was_written(backed_up: Instance) -> None:
    backed_up.run("schedule", "apply")
    backed_up.run("--now", "--quiet")
    backed_up.path.chmod(0)

    done = backed_up.run("status", "--json", user=nobody())

    document = json.loads(done.stdout)
    assert (done.returncode, document["state"]) == (0, "OK")
    assert document | {"judged_at": ""} == backed_up.status() | {"judged_at": ""}


def test_what_was_written_is_judged_anew(backed_up: Instance) -> None:
    """Where cron has died nobody writes the status any more: it must not stay green."""
    backed_up.run("schedule", "apply")
    backed_up.run("--now", "--quiet")
    file = backed_up.state / "status.json"
    text = file.read_text(encoding="utf-8")
    for key in ("warning_after", "critical_after"):
        value = json.loads(text)["jobs"][0][key]
        text = text.replace(value, value.replace("20", "19", 1))
    file.write_text(text, encoding="utf-8")
    backed_up.path.chmod(0)

    done = backed_up.run("status", user=nobody())

    assert json.loads(text)["state"] == "OK"
    assert done.returncode == 2
    assert done.stdout.startswith("CRITICAL: job daily has no complete verified backup in time")


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["--now"],
        ["verify"],
        ["restore", "latest", "--to", "/tmp/x"],
        ["prune"],
        ["keep", "x"],
        ["accept", "x"],
    ],
    ids=" ".join,
)
def test_who_may_not_is_given_the_sudo_line(backed_up: Instance, words: list[str]) -> None:
    backed_up.path.chmod(0)

    done = backed_up.run(*words, user=nobody())

    assert done.returncode == 2
    assert done.stderr.endswith(f"\n  sudo tracker-backup {' '.join(words)}\n")
    assert "Traceback" not in done.stderr


def test_a_private_configuration_is_given_the_sudo_line(instance: Instance) -> None:
    instance.file.chmod(0)

    done = instance.run("list", "--json", user=nobody())

    assert (done.returncode, done.stdout) == (2, "")
    assert f"{instance.file} may be read by root only\n  sudo tracker-backup list --json" in done.stderr


def test_a_private_directory_of_configurations_too(instance: Instance) -> None:
    instance.etc.chmod(0)
    try:
        done, bare = instance.run("list", user=nobody()), instance.run(user=nobody())
    finally:
        instance.etc.chmod(0o700)

    assert done.returncode == 2
    assert "sudo tracker-backup list" in done.stderr
    assert (bare.returncode, bare.stderr) == (0, "")


def test_without_any_written_status_it_is_unknown(instance: Instance) -> None:
    instance.file.chmod(0)

    done = instance.run("status", "--json", user=nobody())

    assert (done.returncode, json.loads(done.stdout)["state"]) == (3, "UNKNOWN")


def test_the_written_status_is_found_where_the_launcher_says_that_it_is(backed_up: Instance) -> None:
    backed_up.file.chmod(0)
    root = backed_up.base / "monitoring"
    root.mkdir(mode=0o755)
    backed_up.state.rename(root / "default")
    where = {"TRACKER_BACKUP_STATE_DIRECTORY": str(root)}

    done = backed_up.run("status", "--json", user=nobody(), environment=where)

    assert json.loads(done.stdout)["newest"]["id"] == backed_up.ids()[0]
    assert backed_up.run("status", user=nobody()).returncode == 3


def test_monitoring_sees_an_instance_as_soon_as_it_has_a_schedule(instance: Instance) -> None:
    instance.run("schedule", "apply")
    instance.file.chmod(0o644)
    instance.path.chmod(0)

    document = json.loads(instance.run("status", "--json", user=nobody()).stdout)

    assert (document["state"], document["newest"]) == ("OK", None)


def test_a_configuration_that_cannot_be_read_is_told_by_its_name(instance: Instance) -> None:
    instance.file.write_text("stack: [", encoding="utf-8")

    document = json.loads(instance.run("status", "--json").stdout)

    assert (document["state"], document["instance"]) == ("UNKNOWN", "default")
