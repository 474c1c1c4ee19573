"""A repository of format 1, as version 0.1.0 has left it: whatever this program becomes, it goes on to be of use."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from support.program import ROOT, Installation
from support.tracker_standin import build_database

FIXTURE = ROOT / "tests/fixtures/repository-format-1"
FIXTURE_SHA256 = "bdb01db0a380053162196c84e6e07b5202dffff58c669a301edec7201bb15d3a"
DAILY = [f"2025010{day}T030000Z-daily" for day in (1, 2, 3, 5, 6)]
FIRST, PINNED, ACCEPTED, LAST_GOOD, PARTIAL = DAILY
WEEKLY = "20250112T040000Z-weekly"
COMPLETE = [*DAILY[:4], WEEKLY]
NEWER = "20250107T030000Z-daily"
USUAL = 98304
"""Between the size of the accepted one, where the comparison began anew, and that of the one that followed."""
USERS = "INSERT INTO `users` VALUES"


@pytest.fixture
def old(tmp_path: Path) -> Installation:
    """Return an installation with a copy of the repository, as closed to others as it was."""
    found = Installation(
        tmp_path,
        jobs=[
            {"name": "daily", "schedule": "0 3 * * *", "keep": {"last": 1}},
            {"name": "weekly", "schedule": "0 4 * * 0", "keep": {"weekly": 4}},
        ],
    )
    shutil.copytree(FIXTURE / "repository", found.repository)
    for path in (found.repository, *found.repository.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    build_database(found.database, mib=0.1)
    return found


@pytest.fixture
def with_newer(old: Installation) -> Installation:
    """Return the installation with a backup beside the others that only a later version can read."""
    shutil.copytree(old.repository / LAST_GOOD, old.repository / NEWER)
    path = old.repository / NEWER / "manifest.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**document, "id": NEWER, "format": 2}), encoding="utf-8")
    return old


def ids(installation: Installation) -> list[str]:
    return sorted(path.name for path in installation.repository.glob("2*"))


def notes(database: Path) -> int:
    """Return how many rows a restored database has, once it is found sound."""
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (number,) = connection.execute("SELECT count(*) FROM notes").fetchone()
    connection.close()
    return int(number)


def test_the_repository_is_what_it_was() -> None:
    """It is of use for as long as nobody makes it anew with a later version."""
    digest = hashlib.sha256()
    for path in sorted((FIXTURE / "repository").rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(FIXTURE)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())

    assert digest.hexdigest() == FIXTURE_SHA256


def test_it_is_listed_with_all_that_people_have_said(old: Installation) -> None:
    listed = {item["id"]: item for item in old.listed()}

    assert list(listed) == [*DAILY, WEEKLY]
    assert {name: item["state"] for name, item in listed.items()} == {
        **dict.fromkeys(COMPLETE, "verified"),
        PARTIAL: "partial",
    }
    assert [name for name, item in listed.items() if item["kept"]] == [PINNED]
    assert [name for name, item in listed.items() if item["accepted"]] == [ACCEPTED]
    assert [error["source"] for error in listed[PARTIAL]["errors"]] == ["index"]
    assert "20250104T030000Z-daily" in old.run("list", "--all").stdout
    assert old.run("show", FIRST).returncode == 0


def test_it_is_verified_to_the_last_byte(old: Installation) -> None:
    done = old.run("verify", "--all", "--full")

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("configured", [True, False], ids=["on its host", "on a bare host, by its path"])
def test_it_is_restored(old: Installation, tmp_path: Path, configured: bool) -> None:
    target = tmp_path / "restored"
    backup = LAST_GOOD
    if not configured:
        shutil.rmtree(old.config_directory)
        backup = str(old.repository / LAST_GOOD)

    done = old.run("restore", backup, "--to", str(target))

    assert done.returncode == 0, done.stderr
    assert notes(target / "tracker.sqlite3") == 3000
    assert USERS in (target / "index.sql").read_text(encoding="utf-8")
    stack = target / "files/srv/torrust"
    assert (stack / "docker-compose.yml").read_text(encoding="utf-8").startswith("services:\n  tracker:\n")
    assert (stack / ".env").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(("backup", "rows"), [(FIRST, 3000), (PINNED, 3000), (ACCEPTED, 10), (PARTIAL, 3000)])
def test_each_one_holds_its_own_day(old: Installation, tmp_path: Path, backup: str, rows: int) -> None:
    assert old.run("restore", backup, "--source", "tracker", "--to", str(tmp_path / "restored")).returncode == 0

    assert notes(tmp_path / "restored/tracker.sqlite3") == rows


def test_it_is_pruned_by_today_s_rules(old: Installation) -> None:
    verdicts = {item["id"]: item["keep"] for item in json.loads(old.run("prune", "--dry-run", "--json").stdout)}

    assert verdicts == {FIRST: False, PINNED: True, ACCEPTED: False, LAST_GOOD: True, PARTIAL: True, WEEKLY: True}
    assert old.run("prune").returncode == 0
    assert ids(old) == [PINNED, LAST_GOOD, PARTIAL, WEEKLY]


def test_a_pin_is_taken_back_and_another_one_put(old: Installation) -> None:
    for command in (("unkeep", PINNED), ("keep", FIRST)):
        assert old.run(*command).returncode == 0

    assert [item["id"] for item in old.listed() if item["kept"]] == [FIRST]


def test_it_takes_a_new_backup_that_goes_on_where_the_old_ones_ended(old: Installation) -> None:
    manifest = old.back_up()

    assert manifest["sequence"] == 9
    assert (manifest["state"], manifest["artifacts"][0]["usual_raw_bytes"]) == ("verified", USUAL)
    # The newest of each source that the new one has not, and of the other job.
    assert ids(old) == sorted([PINNED, PARTIAL, WEEKLY, manifest["id"]])
    assert old.run("verify", "--all").returncode == 0


def test_its_status_is_judged(old: Installation) -> None:
    document = json.loads(old.run("status", "--json").stdout)

    assert {job["name"]: job["last_verified"] for job in document["jobs"]} == {"daily": LAST_GOOD, "weekly": WEEKLY}
    assert document["newest"]["id"] == WEEKLY
    texts = [reason["text"] for reason in document["reasons"]]
    assert any("is without index" in text for text in texts)
    # What failed its check has been in a good backup since.
    assert not any("quarantine" in text or "less than half" in text for text in texts)


class TestNewer:
    """A backup of a format that is still to come: told, never used, never deleted, and in nobody's way."""

    def test_it_is_told_with_what_to_do(self, with_newer: Installation) -> None:
        listed = with_newer.run("list")
        shown = with_newer.run("show", NEWER)

        assert f"{NEWER} is unreadable: " in listed.stdout
        assert "format 2, and this version reads format 1" in listed.stdout
        assert shown.returncode != 0
        assert "format 2, and this version reads format 1" in shown.stderr

    @pytest.mark.parametrize("words", [["restore", NEWER, "--to", "x"], ["verify", NEWER], ["keep", NEWER]])
    def test_nothing_is_done_with_it(self, with_newer: Installation, words: list[str], tmp_path: Path) -> None:
        done = with_newer.run(*(str(tmp_path / word) if word == "x" else word for word in words))

        assert done.returncode != 0
        assert "format 2, and this version reads format 1" in done.stdout + done.stderr
        assert not (tmp_path / "x").exists()

    def test_it_is_never_deleted(self, with_newer: Installation) -> None:
        before = sorted((with_newer.repository / NEWER).iterdir())

        assert with_newer.run("prune").returncode == 0
        assert with_newer.run("--now").returncode == 0

        assert sorted((with_newer.repository / NEWER).iterdir()) == before
        verdict = verdict_of(with_newer, NEWER)
        assert (verdict["keep"], "format 2" in verdict["why"]) == (True, True)

    def test_the_others_are_of_use(self, with_newer: Installation, tmp_path: Path) -> None:
        assert with_newer.run("restore", "latest", "--to", str(tmp_path / "restored")).returncode == 0
        assert with_newer.run("verify", LAST_GOOD).returncode == 0

    def test_status_says_what_it_is(self, with_newer: Installation) -> None:
        document = json.loads(with_newer.run("status", "--json").stdout)

        (told,) = [reason["text"] for reason in document["reasons"] if NEWER in reason["text"]]
        assert "format 2, and this version reads format 1" in told


def verdict_of(installation: Installation, backup: str) -> dict[str, Any]:
    """Return what `prune --dry-run` says of a backup."""
    verdicts: list[dict[str, Any]] = json.loads(installation.run("prune", "--dry-run", "--json").stdout)
    return next(verdict for verdict in verdicts if verdict["id"] == backup)
