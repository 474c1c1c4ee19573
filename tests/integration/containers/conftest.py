"""A tracker in a container of a real Docker Engine, with a database that only a pause can copy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.engine import TrackerContainer
from support.enginefixtures import engine, start_container
from support.program import Installation, Running
from support.tracker_standin import build_database
from tracker_backup.repository.store import Repository

__all__ = ["engine", "start_container"]

SLOW_COPY = Path(__file__).resolve().parents[2] / "support" / "slow_copy.py"


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Return the program configured for a database of 4 MiB that writers must not wait for."""
    made = Installation(tmp_path / "host", max_write_stall_seconds=0.0005)
    made.configure(sources=[{"name": "tracker", "type": "sqlite", "path": str(made.database), "service": "tracker"}])
    build_database(made.database, mib=4, journal_mode="delete")
    Repository(made.repository).init()
    return made


@pytest.fixture
def tracker(start_container: Callable[..., TrackerContainer]) -> TrackerContainer:
    """Return the tracker's container, at work."""
    return start_container()


@pytest.fixture
def start_slowly(installation: Installation) -> Callable[[float], Running]:
    """Return what starts a backup whose copy takes about so many seconds."""

    def start(seconds: float) -> Running:
        command = ["env", "--default-signal=HUP,INT,TERM,PIPE", installation.python, "-I", str(SLOW_COPY)]
        return Running([*command, str(seconds), "--now"], installation.environment())

    return start
