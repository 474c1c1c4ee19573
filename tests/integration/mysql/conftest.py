"""An engine for the tests whose servers are in containers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.engine import running_engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with running_engine(tmp_path_factory.mktemp("engine")):
        yield
