"""What the fault suite begins with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.failing_disk import FailingDisk, failing_disk
from support.program import Installation, tree
from support.stackfixtures import no_docker
from support.tracker_standin import build_database

__all__ = ["no_docker"]


@pytest.fixture(scope="session")
def two_taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where an installation with two backups lies, which no test changes."""
    installation = Installation(tmp_path_factory.mktemp("two-taken") / "host")
    build_database(installation.database, mib=0.05)
    assert installation.run("init").returncode == 0
    installation.back_up()
    installation.back_up()
    return installation.directory


@pytest.fixture
def host(two_taken: Path, tmp_path: Path) -> Installation:
    """Return an installation of the test's own, with the same two backups, and a policy that keeps two."""
    installation = Installation(tmp_path / "host")
    shutil.copytree(two_taken / "data", installation.data, dirs_exist_ok=True)
    shutil.copytree(two_taken / "repository", installation.repository)
    installation.configure(jobs=[{"name": "daily", "schedule": "0 3 * * *", "keep": {"last": 2}}])
    return installation


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FailingDisk]:
    """Return a disk that can be told to fail."""
    with failing_disk(tmp_path / "disk") as mounted:
        yield mounted


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """Return a directory outside of the repository, which must be the same after the test, down to the inodes.

    In it is what the program would delete, read or write if it were led there.
    """
    place = tmp_path / "outside"
    for name in ("20200101T030000Z-daily", "20200102T030000Z-daily", ".scratch-1-abcd"):
        (place / name).mkdir(parents=True)
        (place / name / "canary").write_text("precious")
    (place / "canary").write_text("precious")
    before, content = tree(place), (place / "canary").read_text()
    yield place
    assert tree(place) == before
    assert (place / "canary").read_text() == content
