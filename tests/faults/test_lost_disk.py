"""A disk that is not there any more, before a run or in the middle of one; one that is read-only, or filled by others.

That a disk becomes read-only in mid-run no test can do to a real one with open files: see
test_full_disk_at_every_write.py.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.failing_nights import expect_sound, tiny_database
from support.program import Installation, Running
from support.small_disk import ext4_disk, fill, needs_root
from support.sqlite_world import OtherProcess
from support.tracker_standin import build_database
from tracker_backup.repository.store import Repository

pytestmark = [needs_root, pytest.mark.guarantee(1, 5, 10)]
MIB = 1024**2
PHASES = ("compress", "check", "read back")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Return a small disk."""
    with ext4_disk(tmp_path / "disk", 24) as mounted:
        yield mounted


@pytest.fixture
def host(tmp_path: Path, disk: Path) -> Installation:
    """Return an installation with its repository there, and a backup in it."""
    made = Installation(tmp_path / "host")
    made.repository = disk / "repository"
    made.configure(repository=str(made.repository), min_free="1 MiB", jobs=[{"name": "daily", "keep": {"last": 2}}])
    Repository(made.repository).init()
    tiny_database(made.database)
    made.back_up()
    return made


def go_on(running: Running) -> str:
    """Let the stopped part of a run go on; return what was said by its end, which must be a failure in order."""
    if running.alive():
        subprocess.run(["kill", "-CONT", str(running.halted_pid)], check=False)
    code = running.wait()
    said = running.said()
    assert code == 1, said
    assert "Traceback" not in said
    assert "internal error" not in said
    return said


def remount(disk: Path, how: str) -> None:
    """Make a disk read-only, or not."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def test_read_only_before_the_run(host: Installation, disk: Path) -> None:
    before = host.published()
    remount(disk, "ro")

    done = host.run("--now")
    listed, verified, status = host.run("list"), host.run("verify", "--all"), host.run("status")
    restored = host.run("restore", "latest", "--to", str(host.directory / "restored"))

    remount(disk, "rw")
    assert done.returncode == 1
    assert f"{host.repository}/.lock: Read-only file system" in done.stderr
    assert "remount" in done.stderr
    assert [done.returncode for done in (listed, verified, restored)] == [0, 0, 0], "it can still be read"
    assert status.returncode in (0, 1)
    assert host.published() == before
    host.back_up()


def test_not_mounted_before_the_run(host: Installation, disk: Path) -> None:
    """The directory that the disk was mounted on is there, and empty: nothing may be put into it."""
    subprocess.run(["umount", str(disk)], check=True)

    done = host.run("--now")
    others = [host.run(*words) for words in (("list",), ("prune",), ("verify", "--all"))]

    assert list(disk.iterdir()) == []
    subprocess.run(["mount", "-o", "loop", f"{disk}.image", str(disk)], check=True)
    assert done.returncode == 2
    assert "is the volume mounted?" in done.stderr
    assert [done.returncode for done in others] == [2, 2, 2]
    host.back_up()


@pytest.mark.parametrize("phase", PHASES)
def test_unmounted_in_mid_run(host: Installation, disk: Path, phase: str) -> None:
    before = host.published()
    with host.start_halting(phase, "--now") as running:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
        said = go_on(running)
    assert str(host.repository) in said
    assert [path for path in disk.rglob("*") if path.is_file()] == [], "nothing is published on another disk"

    for path in sorted(disk.rglob("*"), reverse=True):
        path.rmdir()
    subprocess.run(["mount", "-o", "loop", f"{disk}.image", str(disk)], check=True)
    assert host.published() == before
    host.back_up()
    assert host.left_over() == []


@pytest.mark.guarantee(6)
def test_the_sources_disk_fills_up_while_its_wal_is_pinned(tmp_path: Path) -> None:
    """The run gives up, and the tracker goes on writing."""
    host = Installation(tmp_path / "host")
    with ext4_disk(tmp_path / "disk", 160) as disk:
        host.configure(
            sources=[{"name": "tracker", "type": "sqlite", "path": str(disk / "tracker.db")}],
            rate_limit_mib_per_second=8,
        )
        assert host.run("init").returncode == 0
        build_database(disk / "tracker.db", mib=40)
        with OtherProcess(disk / "tracker.db") as tracker, host.start_until_phase("copy tracker", "--now") as running:
            tracker.run("CREATE TABLE grown (x BLOB)")
            fill(disk, leave_bytes=48 * MIB)
            for _ in range(20):
                tracker.run("INSERT INTO grown VALUES (randomblob(1000000))")
            assert running.wait() == 1
            assert "is nearly full" in running.said()
            assert f"{disk}/tracker.db" in running.said()
            tracker.run("INSERT INTO grown VALUES (randomblob(1000000))", "PRAGMA wal_checkpoint(TRUNCATE)")
            assert tracker.run("SELECT count(*) FROM grown") == [[21]]
        assert host.left_over() == []
        (disk / "filler").unlink()
        host.configure(rate_limit_mib_per_second=None)
        host.back_up()


def test_the_disk_of_staging_is_filled_by_others_in_mid_run(host: Installation, tmp_path: Path) -> None:
    before = host.published()
    with ext4_disk(tmp_path / "scratch", 24) as scratch:
        host.configure(staging=str(scratch))
        with host.start_halting("compress", "--now") as running:
            filler = fill(scratch)
            said = go_on(running)
        assert f"the disk of {scratch}" in said
        assert host.published() == before
        filler.unlink()
        host.back_up()
        assert host.left_over() == []


def test_no_inode_is_left_in_mid_run(host: Installation, disk: Path) -> None:
    """The raw snapshots lie elsewhere: the inodes that they leave would be enough for the rest of the run."""
    host.configure(staging=str(host.directory / "scratch"))
    before = host.published()
    with host.start_halting("compress", "--now") as running:
        (disk / "fillers").mkdir()
        while free := os.statvfs(disk).f_favail:
            (disk / "fillers" / str(free)).touch()
        said = go_on(running)
    assert "No space left on device" in said
    assert "df -i" in said
    assert host.published() == before
    for filler in (disk / "fillers").iterdir():
        filler.unlink()
    expect_sound(host.repository / host.back_up()["id"])
