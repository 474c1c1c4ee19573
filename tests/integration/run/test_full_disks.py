"""A full disk, whichever, fails the run with its name, publishes nothing, and the next run is well again."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.program import Installation
from support.small_disk import fill, needs_root, small_disk
from support.tracker_standin import build_database
from tracker_backup.repository.store import Repository

pytestmark = [needs_root, pytest.mark.guarantee(1, 5, 10)]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Return a disk with room for some backups of the database, and for the reserve."""
    with small_disk(tmp_path / "disk", 80) as mounted:
        yield mounted


def go_on(pid: int) -> None:
    """Let a stopped process run."""
    subprocess.run(["kill", "-CONT", str(pid)], check=True)


def test_too_little_room_in_staging_is_told_before_anything_is_copied(in_use: Installation, disk: Path) -> None:
    in_use.configure(staging=str(disk))
    before = in_use.published()
    filler = fill(disk, leave_bytes=64 * 1024**2)

    done = in_use.run("--now")

    assert done.returncode == 1
    assert f"not enough room on the disk of {in_use.staging}" in done.stderr
    assert "1.0 MiB for the raw snapshot of tracker" in done.stderr
    assert in_use.published() == before
    assert in_use.left_over() == []
    filler.unlink()
    in_use.back_up()


def test_a_repository_that_fills_up_in_mid_run_publishes_nothing_and_heals(in_use: Installation, disk: Path) -> None:
    repository = disk / "repository"
    in_use.configure(repository=str(repository), staging=str(in_use.directory / "scratch"))
    in_use.repository = repository
    Repository(repository).init()
    in_use.back_up()
    before = in_use.published()
    with in_use.start_halting("compress", "--now") as running:
        filler = fill(disk)
        go_on(running.halted_pid)
        assert running.wait() == 1
        assert "64.0 MiB stay free (min_free); given up" in running.said()

    assert in_use.published() == before
    assert in_use.left_over() == []
    assert in_use.lock_is_free()
    filler.unlink()
    in_use.back_up()
    assert len(in_use.manifests()) == 2


def test_a_full_repository_heals_by_deleting_what_was_condemned(in_use: Installation, disk: Path) -> None:
    """What the policy no longer keeps goes first, then there is room: the run that could not be must not stay so."""
    in_use.repository = disk / "repository"
    in_use.configure(
        repository=str(in_use.repository),
        staging=str(in_use.directory / "scratch"),
        jobs=[{"name": "daily", "keep": {"last": 9}}],
        compression_level=1,
    )
    Repository(in_use.repository).init()
    in_use.database.unlink()
    build_database(in_use.database, mib=8)
    for _ in range(3):
        in_use.back_up()
    assert in_use.run("--now").returncode == 1, "there is no room for a fourth"
    in_use.configure(jobs=[{"name": "daily", "keep": {"last": 1}}])

    in_use.back_up()

    assert len(in_use.manifests()) == 1


def test_a_disk_that_is_full_to_the_last_byte_ends_a_run_in_order(in_use: Installation, disk: Path) -> None:
    """Log, status and lock on the full disk, too: none of them may turn the failure into a traceback."""
    in_use.repository = disk / "repository"
    in_use.configure(
        repository=str(in_use.repository), state_directory=str(disk / "state"), log_file=str(disk / "log" / "x.log")
    )
    Repository(in_use.repository).init()
    in_use.back_up()
    before = in_use.published()
    filler = fill(disk)

    done = in_use.run("--now")

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    assert "room" in done.stderr or "space" in done.stderr
    assert in_use.published() == before
    filler.unlink()
    in_use.back_up()


def test_a_restore_to_a_disk_without_room_leaves_nothing(in_use: Installation, disk: Path) -> None:
    fill(disk, leave_bytes=64 * 1024**2)

    done = in_use.run("restore", "latest", "--to", str(disk / "restored"))

    assert done.returncode == 1
    assert "not enough room" in done.stderr
    assert [path for path in disk.rglob("*") if path.name != "filler" and path.is_file()] == []
