"""The program as another user than root: as the owner of the tracker's files, and as somebody who is not."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.program import Installation, tree
from support.small_disk import needs_root
from support.sqlite_world import OtherProcess
from support.tracker_standin import build_database
from tracker_backup.repository.store import Repository

pytestmark = needs_root

NOBODY = 65534
SYSTEM_PYTHON = "/usr/bin/python3"  # the one of a virtual environment may lie in a home directory
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


def give_to_nobody(*places: Path) -> None:
    """Make nobody the owner of directories with all that is in them."""
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", *map(str, places)], check=True)


@pytest.fixture
def of_nobody(open_path: Path) -> Installation:
    """Return an installation whose every file but the database belongs to nobody."""
    made = Installation(open_path / "host")
    made.python = SYSTEM_PYTHON
    build_database(made.database, mib=0.5)
    Repository(made.repository).init()
    give_to_nobody(made.directory)
    for path in (made.data, made.database):
        os.chown(path, 0, 0)
    return made


def test_the_owner_of_everything_needs_no_root(of_nobody: Installation) -> None:
    give_to_nobody(of_nobody.data)

    done = of_nobody.run("--now", wrap=AS_NOBODY)

    assert done.returncode == 0, done.stderr
    assert of_nobody.manifests()[0]["state"] == "verified"
    assert {path.stat().st_uid for path in of_nobody.data.rglob("*")} == {NOBODY}
    restored = of_nobody.directory / "restored"
    assert of_nobody.run("restore", "latest", "--to", str(restored), wrap=AS_NOBODY).returncode == 0


def test_who_is_not_the_owner_is_refused_before_the_tracker_is_locked_out(of_nobody: Installation) -> None:
    """Even in a directory where it could make files: those are what the tracker could not open."""
    of_nobody.data.chmod(0o777)
    before = tree(of_nobody.data)

    done = of_nobody.run("--now", wrap=AS_NOBODY)

    assert done.returncode == 1
    assert "belongs to another user and is not in use" in done.stderr
    assert "sudo" in done.stderr
    assert tree(of_nobody.data) == before
    assert of_nobody.left_over() == []


def test_who_may_read_it_while_it_is_in_use_may_back_it_up(of_nobody: Installation) -> None:
    with OtherProcess(of_nobody.database) as tracker:
        tracker.run("UPDATE torrents SET completed = 0 WHERE id = 1")
        before = set(of_nobody.data.iterdir())

        done = of_nobody.run("--now", wrap=AS_NOBODY)

        assert done.returncode == 0, done.stderr
        assert set(of_nobody.data.iterdir()) == before
        tracker.run("UPDATE torrents SET completed = 0 WHERE id = 2")


def test_root_backs_up_what_belongs_to_another_user(of_nobody: Installation) -> None:
    """As on every host: root runs the backup, the container's user owns the database."""
    for place in (of_nobody.config_directory, of_nobody.repository):
        subprocess.run(["chown", "-R", "root:root", str(place)], check=True)
    os.chown(of_nobody.directory, 0, 0)
    give_to_nobody(of_nobody.data)

    assert of_nobody.back_up()["state"] == "verified"

    assert {path.stat().st_uid for path in of_nobody.data.iterdir()} == {NOBODY}
