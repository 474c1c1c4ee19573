"""A stack that leaves: the tracker's database and the files, in containers of a real Docker Engine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.enginefixtures import engine, start_container
from support.program import Installation, sqlite_source
from support.tracker_standin import build_database
from tracker_backup.repository.store import Repository

__all__ = ["engine", "start_container"]


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Return the program configured for a database of the tracker's, and one of Grafana's among the files."""
    made = Installation(tmp_path / "host")
    tracker = {**sqlite_source("tracker", made.database), "service": "tracker"}
    made.configure(sources=[tracker, {"name": "files", "type": "files"}])
    for database in (made.database, made.data / "grafana.db"):
        build_database(database, mib=1)
        os.chown(database, os.geteuid(), os.getegid())
    Repository(made.repository).init()
    assert made.run("schedule", "apply").returncode == 0
    return made
