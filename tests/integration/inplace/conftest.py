"""A tracker whose database is put back in place, in a container of a real Docker Engine, or without any."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from support.engine import TrackerContainer, import_image, running_engine
from support.program import Installation
from support.tracker_standin import build_database
from tracker_backup.repository.store import Repository

_number = itertools.count()


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """See to it that there is a Docker Engine with our image."""
    with running_engine(tmp_path_factory.mktemp("engine")):
        import_image()
        yield


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Return the program configured for a database of 1 MiB in WAL mode that belongs to the user 1000."""
    made = Installation(tmp_path / "host")
    made.configure(sources=[{"name": "tracker", "type": "sqlite", "path": str(made.database), "service": "tracker"}])
    build_database(made.database, mib=1)
    Repository(made.repository).init()
    if os.geteuid() == 0:
        os.chown(made.data, 1000, 1000)
        os.chown(made.database, 1000, 1000)
    made.database.chmod(0o640)
    return made


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
