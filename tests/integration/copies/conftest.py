"""An installation whose backups are copied, to each kind of destination."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.destinations import KINDS, USUAL, Place, installation_with, place
from support.program import Installation


@pytest.fixture(params=[pytest.param(kind, marks=() if kind in USUAL else pytest.mark.thorough) for kind in KINDS])
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Give a destination of each kind, one after the other; parametrized indirectly where a test names its own."""
    with place(request.param, tmp_path / "destination") as made:
        yield made


@pytest.fixture
def installation(destination: Place, tmp_path: Path) -> Installation:
    """Return an installation with a database, an empty repository, and that destination, whose repository is made."""
    made = installation_with(destination, tmp_path / "host")
    done = made.run("init-copy", "nas")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("created: copy nas")
    return made
