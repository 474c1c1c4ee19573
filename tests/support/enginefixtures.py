"""An engine for tests with containers, and trackers that run in it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence

import pytest

from support.engine import TrackerContainer, import_image, running_engine
from support.program import Installation

_number = itertools.count()


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """See to it that there is a Docker Engine with our image."""
    with running_engine(tmp_path_factory.mktemp("engine")):
        import_image()
        yield


@pytest.fixture
def start_container(engine: None, installation: Installation) -> Iterator[Callable[..., TrackerContainer]]:
    """Return what starts a container of the stack; all are removed in the end."""
    started: list[TrackerContainer] = []

    def start(
        *options: str, write: bool = True, service: str = "tracker", command: Sequence[str] | None = None
    ) -> TrackerContainer:
        name = f"tracker-backup-test-{os.getpid()}-{next(_number)}"
        container = TrackerContainer(
            name,
            installation.data,
            installation.data,
            write=write,
            options=options,
            service=service,
            command=command,
        )
        started.append(container)
        return container

    yield start
    for container in started:
        container.remove()
