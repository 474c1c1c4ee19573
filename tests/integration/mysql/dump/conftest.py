"""A server of each flavour for all tests, and schemas and users that each test has for itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.database_servers import Server, running
from support.mysql_program import MysqlInstallation, installation_for, least_user

_number = itertools.count()


@dataclass
class World:
    """A server, a schema with two tables and a user who may dump it, and the program configured for it."""

    server: Server
    schema: str
    user: str
    program: MysqlInstallation


@pytest.fixture(scope="session")
def mysql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running("mysql-9.7", tmp_path_factory.mktemp("mysql")) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running("mariadb-10.11", tmp_path_factory.mktemp("mariadb")) as server:
        yield server


@pytest.fixture(params=["mysql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Server:
    """Return a server of each flavour."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def world(server: Server, tmp_path: Path) -> World:
    """Return a schema of its own on each server; the dump comes to the table `zzz` last."""
    return make_world(server, tmp_path)


@pytest.fixture
def mysql_world(mysql: Server, tmp_path: Path) -> World:
    """Return the same on MySQL alone, for what has nothing to do with the server's flavour."""
    return make_world(mysql, tmp_path)


def make_world(server: Server, directory: Path) -> World:
    number = next(_number)
    schema, user = f"schema_{number}", f"user_{number}"
    server.sql(
        f"CREATE DATABASE `{schema}`; USE `{schema}`;"
        " CREATE TABLE torrents (id INT PRIMARY KEY AUTO_INCREMENT, info_hash VARCHAR(40) NOT NULL);"
        " INSERT INTO torrents (info_hash) VALUES ('one'), ('),('), ('three');"
        " CREATE TABLE zzz (id INT PRIMARY KEY); INSERT INTO zzz VALUES (1)"
    )
    least_user(server, user, schema)
    program = installation_for(server, directory / "host", check="quick")  # its lock comes before the dump
    program.dump(server, schema, user)
    return World(server, schema, user, program)
