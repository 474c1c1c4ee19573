"""A server of each flavour for all tests of restoring, and a backup of a schema that holds everything."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.database_servers import Server, running
from support.mysql_restore import Backed, backed_up
from support.mysql_world import tracker_schema

_number = itertools.count()
FLAVOURS = ("mysql-9.7", "mariadb-10.11", pytest.param("mariadb-11.8", marks=pytest.mark.slow))


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """Return what starts a server of a flavour, or gives the one that runs."""
    started: dict[str, Server] = {}
    made: list[Iterator[Server]] = []

    def give(flavour: str) -> Server:
        if flavour not in started:
            block = running(flavour, tmp_path_factory.mktemp(flavour), ("--log-bin-trust-function-creators=1",))
            made.append(block)
            started[flavour] = block.__enter__()
        return started[flavour]

    yield give
    for block in made:
        block.__exit__(None, None, None)


@pytest.fixture
def mysql(servers: Callable[[str], Server]) -> Server:
    return servers("mysql-9.7")


@pytest.fixture
def mariadb(servers: Callable[[str], Server]) -> Server:
    return servers("mariadb-10.11")


@pytest.fixture(params=FLAVOURS)
def server(request: pytest.FixtureRequest, servers: Callable[[str], Server]) -> Server:
    """Return a server of each flavour."""
    return servers(request.param)


@pytest.fixture
def backed(server: Server, tmp_path: Path) -> Backed:
    """Return a schema with everything, that was backed up by a user with all rights in it, on each server."""
    return backed_up(server, tmp_path, next(_number))


@pytest.fixture
def plain(mysql: Server, tmp_path: Path) -> Backed:
    """Return the tracker's own tables with some rows on MySQL, where it is not about what is in a schema."""
    return backed_up(mysql, tmp_path, next(_number), lambda server, schema: tracker_schema(server, schema, rows=1000))


@pytest.fixture
def mysql_backed(mysql: Server, tmp_path: Path) -> Backed:
    """Return a schema with everything on MySQL alone, for what has nothing to do with the server's flavour."""
    return backed_up(mysql, tmp_path, next(_number))
