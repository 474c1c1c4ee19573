"""The program on a tracker's database of its own, with and without a backup that is there already."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.databases import tracker_database
from support.program import Installation
from tracker_backup.repository.store import Repository


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Return the program configured for a database of 1 MiB in WAL mode, with an empty repository."""
    made = Installation(tmp_path / "host")
    tracker_database(made.database, 1)
    Repository(made.repository).init()
    return made


@pytest.fixture(scope="session")
def earlier_backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository that holds one verified backup."""
    made = Installation(tmp_path_factory.mktemp("earlier"))
    tracker_database(made.database, 1)
    assert made.run("init").returncode == 0
    made.back_up()
    return made.repository


@pytest.fixture
def in_use(installation: Installation, earlier_backup: Path) -> Installation:
    """Return an installation whose repository holds a verified backup of an earlier run."""
    shutil.rmtree(installation.repository)
    shutil.copytree(earlier_backup, installation.repository)
    return installation
