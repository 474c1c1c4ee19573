"""Schemas with a past, on servers with settings of their own: dumped whole, and only the copy changes in a load."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.database_servers import Server
from support.mysql_restore import Backed, backed_up, contents, objects
from tracker_backup.sources.mysql.inventory import differences

pytestmark = pytest.mark.guarantee(14)

NUMBERS = itertools.count(2000)
# Its triggers, routines and events were made before its default collation was changed.
CONVERTED = """
CREATE TABLE log (message TEXT);
CREATE TABLE odd (id INT PRIMARY KEY, `id (doubled)` INT AS (id * 2) STORED, `plain (not)` INT);
INSERT INTO odd (id, `plain (not)`) VALUES (1, 3), (2, 4);
CREATE VIEW named (one, `two (2)`) AS SELECT id, `plain (not)` FROM odd;
DELIMITER //
CREATE TRIGGER logged AFTER INSERT ON odd FOR EACH ROW BEGIN INSERT INTO log VALUES ('new'); END//
CREATE PROCEDURE greet() BEGIN SELECT 'hello'; END//
CREATE EVENT daily ON SCHEDULE EVERY 1 DAY DO DELETE FROM log//
DELIMITER ;
"""


def converted(server: Server, schema: str) -> None:
    server.sql(f"CREATE DATABASE {schema} CHARACTER SET latin1 COLLATE latin1_swedish_ci")
    server.sql(CONVERTED, schema)
    server.sql(f"ALTER DATABASE {schema} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")


@pytest.fixture
def backed(server: Server, tmp_path: Path) -> Iterator[Backed]:
    """Return a backup of such a schema, from a server that quotes names in its answers as a standard says."""
    found = backed_up(server, tmp_path, next(NUMBERS), converted)
    server.sql("SET GLOBAL sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'")
    try:
        found.manifest = found.program.back_up()
        yield found
    finally:
        server.sql("SET GLOBAL sql_mode = DEFAULT")


def defaults(server: Server, schema: str) -> list[list[str]]:
    where = f"WHERE SCHEMA_NAME = '{schema}'"
    return server.sql(f"SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA {where}")


def test_a_converted_schema_comes_back_and_the_live_one_is_left_alone(backed: Backed) -> None:
    server = backed.server
    [artifact] = backed.manifest["artifacts"]
    assert artifact["engine"]["rows"] == {"log": 0, "odd": 2}
    done = backed.into(*backed.as_admin())

    assert done.returncode == 0, done.stderr
    assert contents(server, backed.target) == contents(server, backed.schema)
    assert differences(objects(server, backed.schema), objects(server, backed.target)) == []
    made_under = "SELECT DATABASE_COLLATION FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA ="
    assert server.sql(f"{made_under} '{backed.target}'") == [["latin1_swedish_ci"]]
    assert defaults(server, backed.target) == defaults(server, backed.schema) == [["utf8mb4_general_ci"]]


def test_one_table_of_it_leaves_the_live_schema_alone_too(backed: Backed) -> None:
    done = backed.into(*backed.as_admin(), "--table", "odd")

    assert done.returncode == 0, done.stderr
    assert contents(backed.server, backed.target)["odd"] == contents(backed.server, backed.schema)["odd"]
    assert defaults(backed.server, backed.target) == [["utf8mb4_general_ci"]]
    assert defaults(backed.server, backed.schema) == [["utf8mb4_general_ci"]]
