"""What happens to copies over the months: a repository that is lost, exchanged, half, hostile; nights that are bad."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.destinations import Place, installation_with, place
from support.program import Installation

pytestmark = pytest.mark.guarantee(19, 12)
HOURLY = ("--now", "--if-due", "--wait", "--quiet")


@pytest.fixture
def nas(tmp_path: Path) -> Iterator[Place]:
    with place("restic-directory", tmp_path / "nas") as made:
        yield made


@pytest.fixture
def host(nas: Place, tmp_path: Path) -> Installation:
    made = installation_with(nas, tmp_path / "host")
    assert made.run("init-copy", "nas").returncode == 0
    return made


def restic(nas: Place, *words: str) -> str:
    """Let restic do something behind our back."""
    environment = {
        **os.environ,
        "RESTIC_REPOSITORY": nas.settings["repository"],
        "RESTIC_PASSWORD_FILE": nas.settings["password_file"],
    }
    return subprocess.run(["restic", *words], env=environment, check=True, capture_output=True, text=True).stdout


def snapshots(nas: Place) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(restic(nas, "snapshots", "--json")) or []
    return found


def status(host: Installation) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(host.run("status", "--json").stdout)
    return found


def write(host: Installation) -> None:
    """Let the tracker write something."""
    with sqlite3.connect(host.database) as database:
        database.execute("INSERT INTO keys (key) VALUES (lower(hex(randomblob(16))))")
    database.close()


def test_doing_what_status_advises_makes_it_well(host: Installation, nas: Place) -> None:
    nas.leave()
    assert host.run("--now", "--quiet").returncode == 3
    assert status(host)["last_run"]["exit_code"] == 3
    nas.come_back()
    done = host.run("copy")
    assert (done.returncode, "copied" in done.stdout) == (0, True), done.stderr
    assert status(host)["last_run"]["exit_code"] == 0
    assert not [each for each in status(host)["reasons"] if "copy" in each["text"] or "copied" in each["text"]]


def test_a_copy_that_is_caught_up_with_hides_no_failed_run(host: Installation, nas: Place) -> None:
    nas.leave()
    assert host.run("--now", "--quiet").returncode == 3
    sound = host.database.read_bytes()
    host.database.write_bytes(sound[: 4096 * 8] + b"\xa5" * 8192 + sound[4096 * 10 :])
    assert host.run("--now", "--quiet").returncode == 5
    nas.come_back()
    assert host.run(*HOURLY).returncode == 0
    assert [each["tags"][-1] for each in snapshots(nas)] == [f"backup:{host.manifests()[-1]['id']}"]
    assert status(host)["last_run"]["exit_code"] == 5


def test_a_repository_that_was_there_is_not_made_anew_by_the_way(host: Installation, nas: Place) -> None:
    """Its disk may not be mounted."""
    host.back_up()
    nas.leave()
    refused = host.run("init-copy", "--all")
    assert (refused.returncode, "is it mounted" in refused.stderr) == (2, True)
    assert not Path(nas.settings["repository"]).exists()
    assert host.run("init-copy", "nas", "--again").returncode == 0
    assert host.run("copy").returncode == 0
    assert len(snapshots(nas)) == 1, "it is asked what it has, whatever was noted"


def test_another_repository_under_the_same_name_begins_at_the_newest_backup(host: Installation, nas: Place) -> None:
    host.back_up()
    elsewhere = f"{nas.settings['repository']}-new"
    host.configure(copies=[{**nas.settings, "repository": elsewhere, "every": "month"}])
    assert host.run("init-copy", "nas").stdout.startswith("created")
    assert host.run(*HOURLY).returncode == 0
    there = json.loads(host.run("list", "--copies", "--json").stdout)
    assert [each["id"] for each in there] == [host.manifests()[-1]["id"]]


def test_what_is_not_whole_there_is_copied_again(host: Installation, nas: Place, tmp_path: Path) -> None:
    """As restic leaves it where it could not read all, and we could not delete it any more."""
    manifest = host.back_up()
    [whole] = snapshots(nas)
    half = tmp_path / "half"
    half.mkdir()
    shutil.copy(host.repository / manifest["id"] / "manifest.json", half)
    tags = [word for tag in whole["tags"] for word in ("--tag", tag)]
    restic(nas, "forget", whole["id"])
    restic(nas, "backup", "--host", manifest["host"], *tags, str(half))
    (host.directory / "state" / "copies.json").unlink()
    assert host.run(*HOURLY).returncode == 0
    [again] = snapshots(nas)
    assert again["paths"] != [str(half)]
    done = host.run("restore", "latest", "--from", "nas", "--to", str(tmp_path / "restored"))
    assert done.returncode == 0, done.stderr


def test_what_others_put_there_leads_nowhere(host: Installation, nas: Place, tmp_path: Path) -> None:
    """Whoever shares the repository has its password, and could call a snapshot anything."""
    manifest = host.back_up()
    other = "20301111T111111Z-daily"
    usual = ["tracker-backup", "instance:default", "job:daily"]
    directory = tmp_path / "theirs"
    directory.mkdir()
    shutil.copy(host.repository / manifest["id"] / "manifest.json", directory)
    for name in (f"{tmp_path}/outside", "../outside", other):
        tags = [word for tag in (*usual, f"backup:{name}") for word in ("--tag", tag)]
        restic(nas, "backup", "--host", manifest["host"], *tags, str(directory))
    there = json.loads(host.run("list", "--copies", "--json").stdout)
    assert [each["id"] for each in there] == [manifest["id"], other]
    target = tmp_path / "fetched"
    assert host.run("fetch", other, "--from", "nas", "--to", str(target)).returncode == 5
    assert list(target.iterdir()) == []
    done = host.run("fetch", "latest", "--from", "nas", "--to", str(target))
    assert (done.returncode, [path.name for path in target.iterdir()]) == (0, [manifest["id"]])


def test_copies_of_a_clock_that_was_ahead_do_not_push_the_newest_out(
    host: Installation, nas: Place, tmp_path: Path
) -> None:
    """For `last: 1` they are the last."""
    manifest = host.back_up()
    directory = tmp_path / "ahead"
    directory.mkdir()
    tags = ("tracker-backup", "instance:default", "job:daily", "backup:20991111T111111Z-daily")
    words = [word for tag in tags for word in ("--tag", tag)]
    restic(nas, "backup", "--host", manifest["host"], *words, "--time", "2099-11-11 11:11:11", str(directory))
    host.configure(copies=[{**nas.settings, "keep": {"last": 1}}])
    write(host)
    done = host.run("--now", "--quiet")
    assert (done.returncode, "from the future" in done.stderr) == (3, True)
    assert f"backup:{host.manifests()[-1]['id']}" in [tag for each in snapshots(nas) for tag in each["tags"]]


def test_a_newest_backup_that_is_damaged_here_is_no_clock_that_was_ahead(host: Installation, nas: Place) -> None:
    host.back_up()
    write(host)
    newest = host.back_up()
    artifact = host.repository / newest["id"] / "tracker.sqlite3.zst"
    artifact.write_bytes(artifact.read_bytes()[:-1])
    done = host.run("copy")
    assert (done.returncode, done.stderr.count("future")) == (0, 0), done.stderr
    assert len(snapshots(nas)) == 2


def test_raw_data_of_a_copy_that_died_goes_within_the_hour(host: Installation, nas: Place) -> None:
    host.back_up()
    left = host.staging / ".copy-daily"
    left.mkdir()
    (left / "tracker.sqlite3").write_bytes(b"raw")
    nas.leave()
    host.run(*HOURLY)
    assert not left.exists()


def test_a_place_that_gives_nothing_away(host: Installation, nas: Place) -> None:
    host.configure(copies=[{**nas.settings, "keep": {"last": 1}, "delete": False}])
    for _ in range(2):
        write(host)
        host.back_up()
    assert len(snapshots(nas)) == 2


def test_the_address_may_be_kept_out_of_the_arguments(host: Installation, nas: Place, tmp_path: Path) -> None:
    host.back_up()
    variables = tmp_path / "environment"
    variables.write_text(f"RESTIC_REPOSITORY={nas.settings['repository']}\n", encoding="utf-8")
    variables.chmod(0o600)
    words = (
        "--from",
        "restic:",
        "--environment-file",
        str(variables),
        "--password-file",
        nas.settings["password_file"],
    )
    done = host.run("fetch", "latest", *words, "--to", str(tmp_path / "fetched"), "--json")
    assert done.returncode == 0, done.stderr
    assert Path(json.loads(done.stdout)["path"]).is_dir()
