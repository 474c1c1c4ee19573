"""A dry run writes nothing; a real one writes what only its owner can read."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator

import pytest

from support.program import Installation, tree
from support.sqlite_world import OtherProcess
from support.tracker_standin import build_database


@pytest.fixture
def lax_umask() -> Iterator[None]:
    """Let a careless umask rule; name it after the installation, whose own places must be safe ones."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize("missing", [False, True])
def test_a_dry_run_writes_nothing(in_use: Installation, missing: bool) -> None:
    if missing:
        in_use.database.unlink()
    before = tree(in_use.directory)

    done = in_use.run("--now", "--dry-run")

    assert tree(in_use.directory) == before
    assert done.returncode == (1 if missing else 0)
    assert "nothing is written" in done.stdout
    assert str(in_use.database) in done.stdout


def test_a_dry_run_while_the_tracker_runs_writes_nothing(in_use: Installation) -> None:
    with OtherProcess(in_use.database) as tracker:
        tracker.run("UPDATE torrents SET completed = 0 WHERE id = 1")
        before = tree(in_use.directory)

        assert in_use.run("--now", "--dry-run").returncode == 0

        assert tree(in_use.directory) == before


def test_everything_of_ours_is_for_its_owner_only(installation: Installation, lax_umask: None) -> None:
    staging = installation.directory / "scratch"
    installation.configure(staging=str(staging))
    seen = {}
    with installation.start_halting("compress", "--now") as running:
        for place in (installation.repository, staging):
            seen.update({path: path.lstat().st_mode for path in [place, *place.rglob("*")]})
        subprocess.run(["kill", "-CONT", str(running.halted_pid)], check=True)
        assert running.wait() == 0
    spoilt = installation.data / "spoilt.db"
    build_database(spoilt, mib=1)
    with spoilt.open("r+b") as file:
        file.seek(4096 * 50)
        file.write(b"\xa5" * 8192)
    installation.configure(sources=[{"name": "spoilt", "type": "sqlite", "path": str(spoilt)}])
    assert installation.run("--now").returncode == 5
    for path in [staging, *installation.repository.rglob("*")]:
        seen[path] = path.lstat().st_mode
    assert any(path.name == "tracker.sqlite3" for path in seen), "the raw copy was looked at, too"

    wrong = {
        str(path): oct(mode)
        for path, mode in seen.items()
        if stat.S_IMODE(mode) != (0o700 if stat.S_ISDIR(mode) else 0o600)
    }

    assert wrong == {}


def test_restored_files_are_for_their_owner_only(in_use: Installation, lax_umask: None) -> None:
    target = in_use.directory / "restored"

    assert in_use.run("restore", "latest", "--to", str(target)).returncode == 0

    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert stat.S_IMODE((target / "tracker.sqlite3").stat().st_mode) == 0o600
