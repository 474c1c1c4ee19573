"""A tracker whose database is put back in place, in a container of a real Docker Engine, or without any."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.enginefixtures import engine, start_container
from support.program import Installation
from support.tracker_standin import build_database
from tracker_backup.repository.store import Repository

__all__ = ["engine", "start_container"]


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Return the program configured for a database of 1 MiB in WAL mode that belongs to the user 1000."""
    made = Installation(tmp_path / "host")
    made.configure(sources=[{"name": "tracker", "type": "sqlite", "path": str(made.database), "service": "tracker"}])
    build_database(made.database, mib=1)
    Repository(made.repository).init()
    if os.geteuid() == 0:
        os.chown(made.data, 1000, 1000)
        os.chown(made.database, 1000, 1000)
    made.database.chmod(0o640)
    return made
