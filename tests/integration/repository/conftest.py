"""An instance that is run several times at once, and killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.instance import Instance


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    """Return an instance with a database and an empty repository."""
    instance = Instance(tmp_path)
    instance.build()
    instance.configure()
    instance.repository.init()
    return instance
