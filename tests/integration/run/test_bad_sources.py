"""A source that cannot be backed up: the exit code says so, nothing is published, and what was there is untouched."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from support.program import Installation, sqlite_source, tree
from support.tracker_standin import build_database, check_invariant


def garble_pages(path: Path) -> None:
    """Overwrite pages in the middle with nonsense."""
    with path.open("r+b") as file:
        file.seek(4096 * 100)
        file.write(os.urandom(4096 * 4))


def flip_in_an_index(path: Path) -> None:
    """Change one bit of a hash in an index: only the full check can see it."""
    data = bytearray(path.read_bytes())
    leaves = (
        start
        for start in range(4096, len(data), 4096)
        if data[start] == 10 and int.from_bytes(data[start + 3 : start + 5], "big") > 10
    )
    start = next(leaves)
    data[start + int.from_bytes(data[start + 8 : start + 10], "big") + 10] ^= 0x01
    path.write_bytes(data)


def replace_by(make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Return a function that puts something else in a file's place."""

    def replace(path: Path) -> None:
        path.unlink()
        make(path)

    return replace


NOT_COPIED = {
    "missing": (lambda path: path.unlink(), "does not exist"),
    "empty": (lambda path: path.write_bytes(b""), "is empty (0 bytes)"),
    "cut off at a page's end": (lambda path: os.truncate(path, 4096 * 100), "is damaged"),
    "cut off in a page": (lambda path: os.truncate(path, 4096 * 100 + 77), "is damaged"),
    "text": (lambda path: path.write_text("a,b\n" * 9999), "is not a SQLite database, or it is encrypted"),
    "encrypted": (lambda path: path.write_bytes(os.urandom(65536)), "is not a SQLite database, or it is encrypted"),
    "a directory": (replace_by(Path.mkdir), "is not a file"),
    "a FIFO": (replace_by(os.mkfifo), "is not a file"),
}
DAMAGED = {"garbage in pages": garble_pages, "a flipped bit in an index": flip_in_an_index}


@pytest.mark.guarantee(1, 5)
@pytest.mark.parametrize("kind", NOT_COPIED)
def test_what_can_not_be_copied_fails_the_run(in_use: Installation, kind: str) -> None:
    spoil, message = NOT_COPIED[kind]
    spoil(in_use.database)
    before, data = in_use.published(), set(tree(in_use.data))

    done = in_use.run("--now")

    assert done.returncode == 1
    assert message in done.stderr
    assert str(in_use.database) in done.stderr
    assert "nothing was published" in done.stderr
    assert in_use.published() == before
    assert in_use.left_over() == []
    assert in_use.quarantined() == []
    assert in_use.lock_is_free()
    assert set(tree(in_use.data)) - {"tracker.db-wal", "tracker.db-shm"} == data
    assert f"exit=1 nothing was published: tracker: {in_use.database}" in in_use.log.read_text()


@pytest.mark.guarantee(1, 4, 5)
@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_database_goes_to_quarantine(in_use: Installation, kind: str) -> None:
    """Its copy may be the best one there is; but it is no backup, and never the latest."""
    DAMAGED[kind](in_use.database)
    in_use.configure(check="full")
    before, earlier = in_use.published(), in_use.listed()
    live = in_use.database.read_bytes()

    done = in_use.run("--now")

    assert done.returncode == 5
    assert "is damaged" in done.stderr
    assert in_use.published() == before
    assert in_use.left_over() == []
    assert in_use.listed() == earlier
    [kept] = in_use.quarantined()
    assert str(kept.parent) in in_use.run("list").stdout
    assert in_use.run("show", "latest").stdout.startswith(earlier[-1]["id"])
    manifest = json.loads((kept / "manifest.json").read_text())
    assert [check["ok"] for check in manifest["artifacts"][0]["checks"]] == [False]
    assert in_use.database.read_bytes() == live


@pytest.mark.guarantee(5)
def test_quarantine_holds_the_newest_set_only(in_use: Installation) -> None:
    garble_pages(in_use.database)
    assert in_use.run("--now").returncode == 5
    [first] = in_use.quarantined()

    assert in_use.run("--now").returncode == 5

    [second] = in_use.quarantined()
    assert second.name > first.name
    assert sorted(entry.name for entry in second.iterdir()) == ["manifest.json", "tracker.sqlite3.zst"]


def test_a_source_that_is_well_again_is_backed_up_again(in_use: Installation) -> None:
    whole = in_use.database.read_bytes()
    garble_pages(in_use.database)
    assert in_use.run("--now").returncode == 5
    in_use.database.write_bytes(whole)

    assert in_use.back_up()["state"] == "verified"
    assert len(in_use.manifests()) == 2


@pytest.mark.guarantee(1, 5)
@pytest.mark.parametrize(("spoil", "state"), [(Path.unlink, "failed"), (garble_pages, "damaged")])
def test_a_source_that_fails_costs_the_others_nothing(
    in_use: Installation, spoil: Callable[[Path], object], state: str
) -> None:
    other = in_use.data / "index.db"
    build_database(other, mib=0.5)
    in_use.configure(sources=[sqlite_source("tracker", in_use.database), sqlite_source("index", other)])
    before = in_use.published()
    spoil(in_use.database)

    done = in_use.run("--now")

    assert done.returncode == 3
    manifest = in_use.manifests()[-1]
    assert manifest["state"] == "partial"
    assert [artifact["source"] for artifact in manifest["artifacts"]] == ["index"]
    assert [(error["source"], error["state"]) for error in manifest["errors"]] == [("tracker", state)]
    assert (in_use.repository / manifest["id"] / "index.sqlite3.zst").exists()
    assert sorted(entry.name for entry in (in_use.repository / manifest["id"]).iterdir()) == [
        "index.sqlite3.zst", "manifest.json"
    ]  # fmt: skip
    assert before.items() <= in_use.published().items()
    assert len(in_use.quarantined()) == (state == "damaged")
    assert in_use.left_over() == []
    assert in_use.run("show", "latest").stdout.split(":")[0] != manifest["id"], "latest is the newest complete one"


@pytest.mark.guarantee(4)
def test_a_database_without_tables_is_unverified(in_use: Installation) -> None:
    in_use.database.unlink()
    build_database(in_use.database, mib=0)
    with closing(sqlite3.connect(in_use.database, isolation_level=None)) as connection:
        for table in ("torrents", "whitelist", "keys", "torrent_aggregate_metrics"):
            connection.execute(f"DROP TABLE {table}")

    done = in_use.run("--now")

    manifest = in_use.manifests()[-1]
    assert manifest["state"] == "unverified"
    assert "the database has no table" in json.dumps(manifest)
    assert "unverified" in done.stdout
    assert in_use.run("show", "latest").stdout.split(":")[0] != manifest["id"]


STACK = """services:
  tracker:
    image: torrust/tracker
    volumes: ["./etc:/etc/torrust/tracker", "{mount}"]
"""
TOML = '[core.database]\npath = "/var/lib/torrust/tracker/database/tracker.db"\n'


@pytest.fixture
def discovering(installation: Installation) -> Installation:
    """Return an installation that finds its database in a stack."""
    stack = installation.directory / "stack"
    (stack / "etc").mkdir(parents=True)
    (stack / "etc" / "tracker.toml").write_text(TOML)
    (stack / "compose.yaml").write_text(STACK.format(mount="./lib:/var/lib/torrust/tracker/database"))
    (stack / "lib").mkdir()
    installation.configure(stack=str(stack), sources=None, files={"enabled": False})
    return installation


def test_a_database_that_is_not_there_yet_is_pending_and_once_backed_up_an_error(discovering: Installation) -> None:
    path = discovering.directory / "stack" / "lib" / "tracker.db"

    pending = discovering.run("--now")

    assert pending.returncode == 3
    assert "does not exist" in pending.stderr
    assert list(path.parent.iterdir()) == []
    assert discovering.manifests() == []
    build_database(path, mib=0.1)
    discovering.back_up()
    path.unlink()
    assert discovering.run("--now").returncode == 1
    assert not path.exists()
    assert len(discovering.manifests()) == 1


def test_a_database_that_is_not_there_yet_costs_the_files_nothing(discovering: Installation) -> None:
    discovering.configure(files=None)

    done = discovering.run("--now")

    assert done.returncode == 3
    [manifest] = discovering.manifests()
    assert (manifest["state"], [item["source"] for item in manifest["artifacts"]]) == ("partial", ["files"])
    assert [(error["source"], error["state"]) for error in manifest["errors"]] == [("tracker", "pending")]


@pytest.mark.parametrize(("mode", "code"), [("wal", 1), ("delete", 0)])
def test_the_mount_of_a_single_file_is_refused_in_wal_mode(discovering: Installation, mode: str, code: int) -> None:
    stack = discovering.directory / "stack"
    mount = "./lib/tracker.db:/var/lib/torrust/tracker/database/tracker.db"
    (stack / "compose.yaml").write_text(STACK.format(mount=mount))
    build_database(stack / "lib" / "tracker.db", mib=0.1, journal_mode=mode)
    before = tree(stack)

    done = discovering.run("--now")

    assert done.returncode == code
    assert ("mount the directory that holds the database" in done.stderr) == (mode == "wal")
    assert len(discovering.manifests()) == (code == 0)
    assert tree(stack) == before


def test_a_rollback_database_that_is_too_large_for_the_stall_limit_is_refused(installation: Installation) -> None:
    installation.database.unlink()
    build_database(installation.database, mib=2, journal_mode="delete")
    installation.configure(max_write_stall_seconds=0.001)

    done = installation.run("--now")

    assert done.returncode == 1
    assert "would stop the tracker's writes" in done.stderr
    assert "PRAGMA journal_mode=WAL" in done.stderr
    assert installation.manifests() == []
    assert list(installation.data.iterdir()) == [installation.database]


@pytest.mark.parametrize("name", ['a b\'s "q" ?#%.db', "ünï-数.db"])
def test_odd_paths_go_all_the_way(installation: Installation, name: str) -> None:
    """From the configuration through backup and manifest to the restored file."""
    odd = installation.data / name
    shutil.move(installation.database, odd)
    installation.configure(sources=[sqlite_source("tracker", odd)])

    assert installation.back_up()["artifacts"][0]["path"] == str(odd)

    restored = installation.directory / name / "restored"
    restored.parent.mkdir()
    assert installation.run("restore", "latest", "--to", str(restored)).returncode == 0
    assert check_invariant(restored / "tracker.sqlite3", integrity=True)["ok"]
