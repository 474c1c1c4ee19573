"""Disks that do not read what is there, do not keep what was written, say nothing of it, or are just slow."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.failing_disk import FailingDisk, Fault
from support.failing_nights import FailingNights, tiny_database
from support.faults import rounds
from support.program import Installation, sqlite_source
from support.small_disk import needs_root
from support.sqlite_world import OtherProcess
from support.tracker_standin import build_database

pytestmark = [needs_root, pytest.mark.guarantee(10)]
Tally = Callable[[str, int], None]
ARTIFACT = "/repository/.incoming/*.zst"
PAGE = 4096


@pytest.fixture
def nights(tmp_path: Path, disk: FailingDisk) -> FailingNights:
    """Return an installation with its repository there, and a tiny database elsewhere."""
    installation = Installation(tmp_path / "host")
    tiny_database(installation.database)
    return FailingNights(installation, disk)


@pytest.fixture
def two_sources(tmp_path: Path, disk: FailingDisk) -> Installation:
    """Return an installation with one database on that disk, and one elsewhere; the repository is elsewhere, too."""
    installation = Installation(tmp_path / "host")
    build_database(disk.path / "tracker.db", mib=0.5)
    tiny_database(installation.data / "index.db")
    installation.configure(
        sources=[
            sqlite_source("tracker", disk.path / "tracker.db"),
            sqlite_source("index", installation.data / "index.db"),
        ]
    )
    assert installation.run("init").returncode == 0
    installation.back_up()
    return installation


@pytest.mark.guarantee(6)
@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_a_source_with_a_bad_block_costs_the_others_nothing(
    two_sources: Installation, disk: FailingDisk, journal_mode: str, tally: Tally
) -> None:
    with OtherProcess(disk.path / "tracker.db") as tracker:
        tracker.run(f"PRAGMA journal_mode={journal_mode}")
    pages = (disk.backing / "tracker.db").stat().st_size // PAGE
    before = (disk.backing / "tracker.db").read_bytes()
    tried = sorted({0, 1, pages - 1, *range(2, pages, max(1, pages // rounds(30, short=2)))})
    for page in tried:
        disk.order(Fault(("read",), "EIO", at=1, lasting=True, name="/tracker.db", offset=page * PAGE))
        done = two_sources.run("--now")
        assert disk.order().struck, page

        assert done.returncode == 3, (page, done.stderr)
        manifest = two_sources.manifests()[-1]
        assert [artifact["source"] for artifact in manifest["artifacts"]] == ["index"]
        (error,) = manifest["errors"]
        assert error["state"] == "failed", error
        assert str(disk.path / "tracker.db") in error["message"], error
        assert "cannot write" not in error["message"]
        assert two_sources.left_over() == []
        # A disk that reads once more, and nothing has been done to what is on it.
        assert (disk.backing / "tracker.db").read_bytes() == before
    assert len(two_sources.back_up()["artifacts"]) == 2
    tally("faults survived", len(tried))


def test_a_file_with_a_bad_block_is_named(two_sources: Installation, disk: FailingDisk) -> None:
    (disk.path / "log.txt").write_bytes(b"announce\n" * 50_000)
    sources = [{"name": "files", "type": "files"}, sqlite_source("index", two_sources.data / "index.db")]
    two_sources.configure(stack=str(disk.path), sources=sources)
    two_sources.back_up()
    disk.order(Fault(("read",), "EIO", at=1, lasting=True, name="/log.txt", offset=200_000))

    done = two_sources.run("--now")

    assert disk.order().struck
    assert done.returncode == 3, done.stderr
    assert "log.txt" in done.stderr
    assert "could be read in part only" in done.stderr
    assert [artifact["source"] for artifact in two_sources.manifests()[-1]["artifacts"]] == ["index"]
    assert len(two_sources.back_up()["artifacts"]) == 2


@pytest.mark.guarantee(1, 4)
@pytest.mark.parametrize(
    ("operation", "error", "code"),
    [("read", "EIO", 1), ("read", "CHANGED", 5), ("write", "LOST", 5)],
    ids=["not-read", "read-differently", "not-kept"],
)
def test_what_cannot_be_read_back_is_not_published(
    nights: FailingNights, operation: str, error: str, code: int, tally: Tally
) -> None:
    """That the disk's own bytes are read, and not those in memory, is what makes the last of these fail."""
    night = nights.strike(Fault((operation,), error, at=1, lasting=True, name=ARTIFACT))

    assert night.struck
    assert night.code == code
    assert not night.published
    assert "tracker.sqlite3.zst" in night.said
    tally("faults survived", 1)


@pytest.mark.guarantee(4)
def test_a_page_that_staging_has_lost_is_not_taken_for_the_trackers(nights: FailingNights) -> None:
    night = nights.run(Fault(("write",), "LOST", at=1, name="/repository/.staging/*/tracker.sqlite3"))

    assert night.struck == 1
    assert night.code == 5
    assert not night.published
    nights.installation.run("prune")
    assert nights.installation.back_up()["state"] == "verified"


@pytest.mark.guarantee(5, 11)
def test_an_old_manifest_that_cannot_be_read_is_neither_deleted_nor_in_the_way(nights: FailingNights) -> None:
    oldest = min(nights.installation.repository.glob("2*"))
    held = {file.name: file.read_bytes() for file in oldest.iterdir()}
    fault = Fault(("read",), "EIO", at=1, lasting=True, name=f"/repository/{oldest.name}/manifest.json")
    nights.disk.order(fault)

    done = nights.installation.run("--now")
    status = nights.installation.run("status")

    assert nights.disk.order().struck
    assert done.returncode == 0, done.stderr
    assert status.returncode == 1
    assert f"{oldest.name} cannot be read" in status.stdout
    assert {file.name: file.read_bytes() for file in oldest.iterdir()} == held


@pytest.mark.guarantee(4, 11)
def test_a_stored_backup_with_a_bad_block_is_told_and_restored_by_no_mistake(nights: FailingNights) -> None:
    first, second = sorted(path.name for path in nights.installation.repository.glob("2*"))
    nights.disk.order(Fault(("read",), "EIO", at=1, lasting=True, name=f"/repository/{first}/*.zst"))
    target = nights.installation.directory / "restored"

    verified = nights.installation.run("verify", "--all")
    restored = nights.installation.run("restore", first, "--to", str(target))
    other = nights.installation.run("restore", second, "--to", str(target))

    assert verified.returncode == 5
    assert f"DAMAGED    {first}" in verified.stderr
    assert f"{second} tracker: checksum agrees" in " ".join(verified.stdout.split())
    assert restored.returncode == 1
    assert f"{first}/tracker.sqlite3.zst" in restored.stderr
    assert "smartctl" in restored.stderr
    assert other.returncode == 0, other.stderr
    assert [path.name for path in target.iterdir()] == ["tracker.sqlite3"]


@pytest.mark.guarantee(16)
def test_a_slow_disk_is_waited_for(nights: FailingNights) -> None:
    nights.disk.order(Fault(("write", "create", "mkdir", "fsync", "fsyncdir", "rename"), delay=0.05))

    manifest = nights.installation.back_up()

    assert manifest["state"] == "verified"


@pytest.mark.guarantee(1, 16)
def test_a_disk_that_is_too_slow_for_the_time_limit_ends_the_run(nights: FailingNights) -> None:
    nights.installation.configure(max_run_seconds=2)

    night = nights.run(Fault(("write",), delay=1.0))

    assert night.code == 1
    assert "max_run_seconds" in night.said
    nights.installation.configure(max_run_seconds=None)
    nights.heal()


@pytest.mark.guarantee(12)
def test_log_and_status_on_the_disk_that_fails(nights: FailingNights, tally: Tally) -> None:
    """Neither may turn a failure into a crash; and a status that cannot be written is no reason for no backup."""
    there = nights.disk.path
    nights.installation.log = there / "log" / "default.log"
    nights.installation.configure(state_directory=str(there / "state"), log_file=str(nights.installation.log))
    survived = 0
    for fault in nights.every(("write", "create", "mkdir", "rename"), "ENOSPC", lasting=True, short=4):
        survived += nights.strike(fault).struck > 0
    assert json.loads((there / "state" / "status.json").read_bytes())["last_run"]["exit_code"] == 0
    tally("faults survived", survived)
