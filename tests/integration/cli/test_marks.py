"""keep, unkeep, accept, and what a sudden drop in size does to a run, seen from outside."""

from __future__ import annotations

import json
import os
import shutil
from typing import Any

import pytest

from support.instance import Instance, a_manifest, an_artifact
from support.small_disk import needs_root

DAILY = "20261122T030000Z-daily"


def listed(instance: Instance) -> list[dict[str, Any]]:
    done = instance.run("list", "--json", check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def verdicts(instance: Instance) -> dict[str, tuple[bool, str]]:
    done = instance.run("prune", "--dry-run", "--json")
    return {item["id"]: (item["keep"], item["why"]) for item in json.loads(done.stdout)}


@pytest.fixture
def month(instance: Instance) -> Instance:
    """An instance with a backup of each night of October."""
    for day in range(1, 32):
        instance.add(a_manifest(f"2026-10-{day:02}T03:00:00Z"))
    return instance


def test_a_pinned_backup_outlives_its_policy_and_goes_when_it_is_unpinned(month: Instance) -> None:
    first = "20261001T030000Z-daily"
    pinned = month.run("keep", first)
    assert (pinned.returncode, pinned.stderr) == (0, "")
    assert pinned.stdout == f"changed: {first} pinned: no policy deletes it\n"
    assert month.run("keep", first).stdout == f"unchanged: {first} is pinned already\n"
    assert [item["id"] for item in listed(month) if item["kept"]] == [first]
    assert "verified, pinned" in month.run("list").stdout
    assert f"{first}: verified, pinned" in month.run("show", first).stdout
    assert json.loads(month.run("show", first, "--json").stdout)["kept"] is True
    assert verdicts(month)[first] == (True, "pinned by a person: unkeep gives it back")

    assert "23 deleted, 8 kept" in month.run("prune").stdout
    assert month.ids()[0] == first

    assert month.run("unkeep", first).stdout.startswith(f"changed: {first} no longer pinned")
    assert month.run("unkeep", first).stdout == f"unchanged: {first} is not pinned\n"
    assert "1 deleted, 7 kept" in month.run("prune").stdout
    assert len(month.ids()) == 7


def test_a_dry_run_says_of_each_backup_why(month: Instance) -> None:
    jobs = [{"name": "daily", "keep": {"last": 1, "daily": 2, "weekly": 2, "monthly": 1, "yearly": 1}}]
    month.configure(jobs=jobs)
    unreadable = month.path / "20261101T030000Z-daily"
    unreadable.mkdir()

    shown = month.run("prune", "--dry-run")

    assert shown.stdout.splitlines()[0].split() == ["ID", "VERDICT", "WHY"]
    rows = [line.split(maxsplit=2) for line in shown.stdout.splitlines()[1:]]
    assert [row for row in rows if row[1] == "keep"] == [
        ["20261025T030000Z-daily", "keep", "weekly 2 (2026-W43)"],
        ["20261030T030000Z-daily", "keep", "daily 2 (2026-10-30)"],
        [
            "20261031T030000Z-daily",
            "keep",
            "last 1, daily 2 (2026-10-31), weekly 2 (2026-W44), monthly 1 (2026-10), yearly 1 (2026)",
        ],
        [
            "20261101T030000Z-daily",
            "keep",
            f"it cannot be read: cannot read {unreadable}/manifest.json: No such file or directory",
        ],
    ]
    assert [row[1:] for row in rows].count(["delete", "beyond the policy of its job"]) == 28
    assert len(verdicts(month)) == len(month.ids()) == 32
    assert [item["keep"] for item in json.loads(month.run("prune", "--json").stdout)].count(False) == 28
    assert len(month.ids()) == 4


@pytest.mark.guarantee(5, 12)
def test_a_drop_in_size_is_told_displaces_nothing_and_can_be_accepted(instance: Instance) -> None:
    """The whole way: four large nights, an emptied database, the night after, and a person's word."""
    instance.configure(jobs=[{"name": "daily", "keep": {"last": 2}}])
    instance.run("schedule", "apply")
    instance.database.unlink()
    instance.build(mib=1)
    for _ in range(2):
        assert instance.run("--now").returncode == 0
    large = instance.ids()
    instance.database.unlink()
    instance.build(mib=0.1)

    first = instance.run("--now", "--quiet")
    second = instance.run("--now")

    for done in (first, second):
        assert done.returncode == 3
        assert "tracker has only " in done.stderr
        assert "less than half of the usual 1.0 MiB" in done.stderr
    small = instance.ids()[-1]
    assert f"tracker-backup accept {small}" in second.stderr
    assert instance.ids()[:2] == large, "what counts stays"
    assert [item["artifacts"][0]["size_drop"] for item in listed(instance)] == [False, False, True, True]
    assert "verified, size drop" in instance.run("list").stdout
    assert f"tracker-backup accept {small}" in instance.run("show", small).stdout
    assert instance.repository.find("latest").id == large[1]
    assert instance.status()["state"] == "WARNING"
    status = instance.run("status")
    assert (status.returncode, f"tracker-backup accept {small}" in status.stdout) == (1, True)

    accepted = instance.run("accept", small)

    assert (accepted.returncode, accepted.stderr) == (0, "")
    assert accepted.stdout.startswith(f"changed: {small} accepted")
    assert instance.run("accept", small).stdout == f"unchanged: {small} is accepted already\n"
    assert instance.status()["state"] == "OK", instance.status()
    assert listed(instance)[-1]["accepted"] is True
    assert "verified, accepted" in instance.run("list").stdout
    following = instance.run("--now")
    assert following.returncode == 0, following.stderr
    assert instance.ids()[-2] == small
    assert len(instance.ids()) == 2, "the policy holds again"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["keep", "20200101T030000Z-daily"], 2, "there is no backup '20200101T030000Z-daily'"),
        (["unkeep", "nonsense"], 2, "there is no backup 'nonsense'"),
        (["accept", "20200101T030000Z-daily"], 2, "there is no backup"),
        (["accept", DAILY], 2, f"there is nothing to accept in {DAILY}"),
        (["keep", "latest"], 2, f"today it is {DAILY}"),
        (["keep"], 2, "the following arguments are required: ID"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_marked_says_why(instance: Instance, words: list[str], code: int, said: str) -> None:
    instance.add(a_manifest())

    done = instance.run(*words)

    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert not list(instance.path.glob("*/.[ka]*"))


@pytest.mark.parametrize("command", ["keep", "unkeep", "accept"])
def test_who_holds_the_lock_is_named(instance: Instance, command: str) -> None:
    instance.add(a_manifest(artifacts=(an_artifact(size_drop=True),)))
    with instance.repository.lock.acquire(job="hourly"):
        done = instance.run(command, DAILY)

    assert (done.returncode, done.stdout) == (4, "")
    assert f"another run is at work: process {os.getpid()}, job hourly, phase start, since 20" in done.stderr


def test_quiet_says_nothing(instance: Instance) -> None:
    instance.add(a_manifest())

    done = instance.run("--quiet", "keep", DAILY)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_root
def test_a_repository_on_a_read_only_disk_says_so(instance: Instance) -> None:
    import subprocess

    instance.add(a_manifest())
    place = instance.base / "mounted"
    shutil.move(instance.path, place)
    instance.path.mkdir()
    subprocess.run(["mount", "--bind", "-o", "ro", place, instance.path], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", instance.path], check=True)
        done = instance.run("keep", DAILY)
    finally:
        subprocess.run(["umount", instance.path], check=True)

    assert done.returncode == 1
    assert f"cannot open the lock {instance.path}/.lock: Read-only file system" in done.stderr
