"""Every server with every client, every dump loaded by both flavours' clients: it works, or is refused beforehand."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.database_servers import ALL, Server, client, running
from support.mysql_source import connection
from support.mysql_world import everything_schema
from tracker_backup.sources.interface import CopyContext
from tracker_backup.sources.mysql import checksums, inventory
from tracker_backup.sources.mysql.checksums import SESSION, Sum, by_table, columns_statement, parse_sum, sum_statement
from tracker_backup.sources.mysql.dump import run_dump
from tracker_backup.sources.mysql.facts import gather, identify
from tracker_backup.sources.mysql.fitness import misfit
from tracker_backup.sources.mysql.inventory import Inventory, inventory_statements, parse_inventory

LOADERS = ("mysql-9.7", "mariadb-10.11", "mariadb-11.8")
# What is in the three schemas: plain has nothing that only some dump can carry.
SCHEMAS = {"plain": {"generated": False}, "made": {"generated": True}, "own": {"generated": False, "only": True}}
# Server and client, schema: a word of the reason why it is refused. Everything else works.
REFUSED = {
    **{("mysql-9.7", f"mariadb-{version}", "made"): "generated columns" for version in ("10.11", "11.8")},
    **{("mysql-9.7", f"mariadb-{version}", "own"): "vector columns" for version in ("10.11", "11.8")},
    ("mariadb-10.11", "mysql-9.7", "own"): "sequence numbers_for",
    ("mariadb-11.8", "mysql-9.7", "plain"): "version",
    ("mariadb-11.8", "mysql-9.7", "made"): "version",
    ("mariadb-11.8", "mysql-9.7", "own"): "sequence numbers_for",
}


class Kept:
    """A sink in memory."""

    def __init__(self) -> None:
        self.data = bytearray()

    def begin(self) -> None:
        self.data.clear()

    def write(self, block: bytes) -> None:
        self.data += block


@dataclass(frozen=True)
class State:
    """All that a dump must bring back."""

    inventory: Inventory
    sums: dict[str, Sum]


def state(server: Server, schema: str) -> State:
    asked = connection(server)
    found = parse_inventory(asked.query(*inventory_statements(schema)))
    tables = by_table(asked.query(columns_statement(schema))[0])
    answers = asked.query(SESSION, *(sum_statement(schema, name, columns) for name, columns in tables.items()))[1:]
    return State(found, {name: parse_sum(rows) for name, rows in zip(tables, answers, strict=True)})


@pytest.fixture(params=ALL, scope="module")
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, dict[str, State]]]:
    """Return a server with the schemas, and what is in them."""
    with running(request.param, tmp_path_factory.mktemp("server")) as server:
        for schema, options in SCHEMAS.items():
            everything_schema(server, schema, old_engine=False, **options)
        yield server, {schema: state(server, schema) for schema in SCHEMAS}


def dumped(server: Server, flavour: str, schema: str, directory: Path) -> bytes | str:
    """Return a dump, or why it is refused."""
    reached = connection(server, flavour)
    facts = gather(connection(server), identify(connection(server)), schema)
    why = misfit(reached.way.clients.dump, facts)
    if why is not None:
        return why
    context = CopyContext(
        directory=directory,
        deadline=time.monotonic() + 300,
        progress=lambda _done, _total: None,
        note=lambda _text: None,
        warn=lambda _text: None,
        stack=directory,
        state_directory=directory,
    )
    kept = Kept()
    run_dump(reached, schema, context, kept, expected_bytes=1, locking=bool(facts.non_transactional))
    return bytes(kept.data)


def load(server: Server, flavour: str, schema: str, dump: bytes) -> None:
    """Put a dump in the place of the schema, as docs/mysql.md says."""
    server.sql(f"DROP DATABASE `{schema}`; CREATE DATABASE `{schema}` CHARACTER SET utf8mb4")
    command = [
        *client(flavour).load,
        f"--defaults-file={server.option_file()}",
        "--max-allowed-packet=1G",
        "--comments",
    ]
    command += ["--default-character-set=utf8mb4", "--binary-mode"]
    command += ["--skip-ssl"] if flavour.startswith("mariadb") else []
    done = subprocess.run([*command, schema], input=dump, capture_output=True, check=False)
    assert done.returncode == 0, f"loaded by {flavour}: {done.stderr[-500:]!r}"


@pytest.mark.slow
@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("flavour", ALL)
def test_a_cell(world: tuple[Server, dict[str, State]], flavour: str, schema: str, tmp_path: Path):
    server, states = world
    dump = dumped(server, flavour, schema, tmp_path)
    why = REFUSED.get((server.flavour, flavour, schema))
    if why is not None:
        assert isinstance(dump, str), f"it was not refused, although: {why}"
        assert why in dump
        assert "\n" not in dump
        return
    assert isinstance(dump, bytes), f"refused: {dump}"
    for loader in LOADERS:
        load(server, loader, schema, dump)
        found = state(server, schema)
        assert inventory.differences(states[schema].inventory, found.inventory) == [], f"loaded by {loader}"
        assert checksums.differences(states[schema].sums, found.sums) == [], f"loaded by {loader}"
