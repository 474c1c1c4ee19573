"""The program on a stack with all that stacks have, found by discovery."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.program import Installation
from support.stack_world import make_stack
from tracker_backup.repository.store import Repository


@pytest.fixture
def host(tmp_path: Path) -> Installation:
    """Return an installation that backs up a whole stack; its certificates lie beside it."""
    made = Installation(tmp_path / "host", sources=None)
    make_stack(made.data, made.directory / "certificates")
    Repository(made.repository).init()
    return made
