"""An instance whose runs are told of, and who hears of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.receiver import Receiver, receiving
from support.telling import Telling


@pytest.fixture
def instance(tmp_path: Path) -> Telling:
    """Return an instance with a database and an empty repository."""
    instance = Telling(tmp_path)
    instance.build()
    instance.configure()
    instance.repository.init()
    instance.run("schedule", "apply")
    return instance


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Return somebody who takes everything."""
    with receiving() as found:
        yield found
