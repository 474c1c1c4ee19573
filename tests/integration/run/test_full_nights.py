"""Nights with a repository that is full: the next one heals by itself, or says exactly what a person has to do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.program import Installation
from support.small_disk import ext4_disk, fill, needs_root, small_disk
from support.tracker_standin import build_database
from tracker_backup.repository.store import Repository

pytestmark = [needs_root, pytest.mark.guarantee(5, 10)]
NIGHT = ("--now", "--wait", "--quiet")
MIB = 1024**2


@pytest.fixture(params=[pytest.param("tmpfs", marks=pytest.mark.slow), "ext4"])
def night(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    """Return an installation with everything on one small disk, where two backups fit beside the run under way."""
    made_disk = small_disk if request.param == "tmpfs" else ext4_disk
    with made_disk(tmp_path / "disk", 40) as disk:
        yield installed(tmp_path, disk)


@pytest.fixture
def quiet_night(tmp_path: Path) -> Iterator[Installation]:
    """Return the same on one kind of disk."""
    with small_disk(tmp_path / "disk", 40) as disk:
        yield installed(tmp_path, disk)


def installed(directory: Path, disk: Path) -> Installation:
    """Return the program configured for a disk, with a database of 6 MiB that does not compress well elsewhere."""
    made = Installation(directory / "host")
    made.repository = disk / "repository"
    made.log = disk / "log" / "default.log"
    made.configure(
        repository=str(made.repository),
        state_directory=str(disk / "state"),
        log_file=str(made.log),
        min_free="1 MiB",
        jobs=[{"name": "daily", "keep": {"last": 2}}],
    )
    Repository(made.repository).init()
    build_database(made.database, mib=6)
    return made


def free(path: Path) -> int:
    """Return the bytes that are free."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def ids(installation: Installation) -> list[str]:
    """Return the ids of the backups."""
    return [manifest["id"] for manifest in installation.manifests()]


def failed(installation: Installation, code: int = 1) -> str:
    """Let a night fail, in order; return what was said."""
    before = installation.published()
    done = installation.run(*NIGHT)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    assert installation.published() == before, "not one of the backups may have suffered"
    assert installation.left_over() == []
    assert installation.lock_is_free()
    return done.stderr


def test_full_to_the_last_byte_by_another_file_that_goes_later(night: Installation) -> None:
    night.back_up()
    night.back_up()
    status = night.repository.parent / "state" / "status.json"
    before = status.read_bytes()
    filler = fill(night.repository.parent)

    for _ in range(2):
        said = failed(night)
        assert "room" in said or "space" in said
        assert status.read_bytes() == before, "the old one stays, whole"
    assert "what monitoring reads was not written" in night.run("--now").stderr
    filler.unlink()
    night.back_up()

    assert len(ids(night)) == 2
    assert json.loads(status.read_bytes())["last_run"]["exit_code"] == 0


def test_full_of_condemned_backups_it_heals_by_itself(night: Installation) -> None:
    """The last run could not delete what it had displaced; the next night finds not a byte, and deletes first."""
    night.configure(jobs=[{"name": "daily", "keep": {"last": 6}}])
    for _ in range(6):
        night.back_up()
    before = [manifest["sequence"] for manifest in night.manifests()]
    night.configure(jobs=[{"name": "daily", "keep": {"last": 1}}])
    fill(night.repository.parent)
    assert free(night.repository) == 0

    night.back_up()

    # By their numbers: within one second the id of a backup that is gone may be given again.
    (left,) = night.manifests()
    assert left["sequence"] > max(before)


def test_not_even_a_block_for_another_name(tmp_path: Path) -> None:
    """With as many backups as one block of the directory has room for, a rename on a full ext4 fails."""
    with ext4_disk(tmp_path / "disk", 24, inodes=4096) as disk:
        for count in range(20, 35):
            repository = Repository(disk / f"repository-{count}")
            repository.init()
            repository.begin("20260101T000000Z-daily").discard()
            ids = [f"20260101T{number:06}Z-daily" for number in range(count)]
            for identifier in ids:
                (repository.path / identifier).mkdir()
            filler = fill(disk)

            repository.remove(ids)

            assert repository.backups() == []
            assert not list(repository.path.glob(".condemned*/*"))
            filler.unlink()


def test_full_of_what_a_killed_run_has_left(night: Installation) -> None:
    night.back_up()
    with night.start_halting("check", "--now") as running:
        raw = sum(file.stat().st_size for file in (night.repository / ".staging").rglob("*") if file.is_file())
        running.signal(signal.SIGKILL)
        running.wait()
    assert raw > 5 * MIB
    fill(night.repository.parent, leave_bytes=5 * MIB)  # too little for a run, if that stayed

    night.back_up()

    assert len(ids(night)) == 2
    assert night.left_over() == []


def test_full_because_deleting_at_the_end_had_failed(tmp_path: Path) -> None:
    with ext4_disk(tmp_path / "disk", 40) as disk:
        night = installed(tmp_path, disk)
        night.configure(jobs=[{"name": "daily", "keep": {"last": 5}}])
        for _ in range(5):
            night.back_up()
        night.configure(jobs=[{"name": "daily", "keep": {"last": 1}}])
        held = [str(file) for file in night.repository.glob("2*/*.zst")]
        subprocess.run(["chattr", "+i", *held], check=True)
        assert night.run(*NIGHT).returncode == 3, "made, but the old ones could not be deleted"
        moved = [str(file) for file in night.repository.glob(".condemned*/*.zst")]
        assert len(moved) == len(held)
        subprocess.run(["chattr", "-i", *moved], check=True)
        kept = ids(night)
        fill(disk)

        night.back_up()

        assert len(ids(night)) == 1
        assert ids(night)[0] not in kept
        assert not list(night.repository.glob(".condemned*/*"))


def test_not_one_inode_left(tmp_path: Path) -> None:
    """Neither log nor status nor the lock's note may turn it into a crash; the oldest goes, and all is well again."""
    with ext4_disk(tmp_path / "disk", 40, inodes=64) as disk:
        night = installed(tmp_path, disk)
        night.configure(jobs=[{"name": "daily", "keep": {"last": 5}}])
        for _ in range(5):
            night.back_up()
        fillers = disk / "fillers"
        fillers.mkdir()
        while os.statvfs(disk).f_favail:
            (fillers / str(os.statvfs(disk).f_favail)).touch()
        assert os.statvfs(disk).f_favail == 0

        said = failed(night)
        assert "No space left on device" in said
        night.configure(jobs=[{"name": "daily", "keep": {"last": 1}}])

        night.back_up()
        assert len(ids(night)) == 1


def test_a_policy_that_no_longer_fits_says_what_to_do(quiet_night: Installation) -> None:
    """Every backup is one that the policy asks for: nothing may be deleted, so a person has to decide."""
    night = quiet_night
    night.configure(jobs=[{"name": "daily", "keep": {"last": 99}}])
    while (done := night.run(*NIGHT)).returncode == 0:
        assert len(ids(night)) < 40
    kept = len(ids(night))

    assert f"the policies keep {kept} now, and {kept - 1} leave room" in done.stderr, done.stderr
    assert "MiB for the raw snapshot of tracker" in done.stderr
    assert "are missing" in done.stderr
    assert f"`keep` of the jobs in {night.config_directory / 'default.yml'}" in done.stderr
    assert failed(night)
    status = json.loads(night.run("status", "--json").stdout)
    assert any("the next run will find too little room" in reason["text"] for reason in status["reasons"])
    assert status["room"]["fits"] is False
    capacity = [found for found in night.examined() if "policy x size" in found["what"]]
    assert [found["level"] for found in capacity] == ["fail"]

    # What was said helps.
    night.configure(jobs=[{"name": "daily", "keep": {"last": kept - 1}}])
    night.back_up()
    assert len(ids(night)) == kept - 1


def test_what_has_to_stay_free_is_not_touched_in_mid_run(quiet_night: Installation) -> None:
    """Another file grows while the run compresses: it gives up, instead of taking the last of the disk."""
    night = quiet_night
    night.configure(min_free="20%")
    night.back_up()
    before = night.published()
    disk = night.repository.parent
    with night.start_halting("compress", "--now") as running:
        filler = fill(disk, leave_bytes=8 * MIB - 4096)
        subprocess.run(["kill", "-CONT", str(running.halted_pid)], check=True)
        assert running.wait() == 1
        assert "8.0 MiB stay free (min_free)" in running.said()

    assert night.published() == before
    assert night.left_over() == []
    filler.unlink()
    night.back_up()


def test_what_has_to_stay_free_is_not_touched_by_a_copy(quiet_night: Installation) -> None:
    night = quiet_night
    night.back_up()
    disk = night.repository.parent
    with night.start_halting("copy", "--now") as running:
        filler = fill(disk, leave_bytes=2 * MIB)
        running.signal(signal.SIGTERM)
        running.wait()
    assert night.left_over() == []
    filler.unlink()
    night.back_up()


def test_a_run_that_would_take_what_stays_free_is_refused_before_it_copies(quiet_night: Installation) -> None:
    night = quiet_night
    night.configure(min_free="90%")

    done = night.run("--now")

    assert done.returncode == 1
    assert "36.0 MiB that stay free are needed" in done.stderr
    assert "copy tracker" not in done.stderr
    assert night.run("--now", "--dry-run").returncode == 1
