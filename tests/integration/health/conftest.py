"""An instance whose status is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.instance import Instance


@pytest.fixture
def instance(open_path: Path) -> Instance:
    """Return an instance that other users may look at."""
    instance = Instance(open_path)
    instance.build()
    instance.configure()
    instance.repository.init()
    return instance
