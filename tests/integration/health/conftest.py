"""An instance whose status is looked at."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.instance import Instance


@pytest.fixture
def instance() -> Iterator[Instance]:
    """Return an instance below a directory that other users may enter; pytest's own may not be."""
    base = Path(tempfile.mkdtemp(prefix="tracker-backup-test-"))
    base.chmod(0o755)
    instance = Instance(base)
    instance.build()
    instance.configure()
    instance.repository.init()
    yield instance
    shutil.rmtree(base)
