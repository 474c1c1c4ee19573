"""What the server's own log has of a backup: reads and locks for reading, and nothing that stays."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from support.database_servers import Server

if TYPE_CHECKING:
    from conftest import World

READS = re.compile(
    r"""(/\*M?!\d*\s*)?(
        SELECT\b(?!.*\bINTO\s+(OUTFILE|DUMPFILE))(?!.*\bFOR\s+UPDATE\b)
        | SHOW\b | USE\b | DESCRIBE\b | HELP\b | CHECKSUM\s+TABLE\b
        | SET\s+(SESSION\b|NAMES\b|TRANSACTION\b|@(?!@(GLOBAL|PERSIST))|(?!GLOBAL\b|PERSIST|PASSWORD\b)\w+\s*=)
        | START\s+TRANSACTION\b | BEGIN\b | COMMIT\b | ROLLBACK\b
        | SAVEPOINT\b | RELEASE\s+SAVEPOINT\b
        | LOCK\s+TABLES?\b(?!.*\bWRITE\b) | UNLOCK\s+TABLES?\b
    )""",
    flags=re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
NO_STATEMENTS = ("Connect", "Init DB", "Quit", "Ping", "Statistics", "Field List", "Close stmt", "Reset Connection")


def asked(server: Server, user: str) -> list[str]:
    """Return the statements that a user has sent, and whatever else is no mere sign of life."""
    rows = server.sql(
        "SELECT command_type, REPLACE(CONVERT(argument USING utf8mb4), '\\n', ' ') FROM mysql.general_log"
        f" WHERE user_host LIKE '{user}[%' ORDER BY event_time"
    )
    return [
        row[1] if row[0] in ("Query", "Execute", "Prepare") else row[0] for row in rows if row[0] not in NO_STATEMENTS
    ]


def everything(server: Server, schema: str) -> list[list[str]]:
    """Return what there is on a server and what is in a schema, but for the log."""
    return [
        *server.sql("SHOW DATABASES"),
        *server.sql("SELECT user, host FROM mysql.user ORDER BY 1, 2"),
        *server.sql("SELECT table_schema, table_name FROM information_schema.tables ORDER BY 1, 2"),
        *server.sql(f"CHECKSUM TABLE `{schema}`.torrents, `{schema}`.zzz"),
        *server.sql(
            "SHOW GLOBAL VARIABLES WHERE variable_name NOT LIKE '%gtid%' AND variable_name NOT LIKE '%timestamp%'"
        ),
    ]


@pytest.mark.guarantee(6)
@pytest.mark.parametrize("check", ["quick", "full"])
def test_a_backup_asks_for_nothing_but_reads(world: World, check: str) -> None:
    """With the restore check too, which writes to a server of its own."""
    world.program.configure(check=check)
    world.server.sql("SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = ON")
    try:
        before = everything(world.server, world.schema)
        world.program.back_up()
        assert everything(world.server, world.schema) == before
        statements = asked(world.server, world.user)
    finally:
        world.server.sql(
            "SET GLOBAL general_log = OFF; TRUNCATE TABLE mysql.general_log; SET GLOBAL log_output = 'FILE'"
        )

    assert len(statements) > 10
    assert [each for each in statements if not READS.match(each.lstrip("( "))] == []


def test_what_is_looked_for_would_be_seen() -> None:
    """Otherwise the test above would prove nothing."""
    for statement in (
        "INSERT INTO torrents VALUES (1)",
        "LOCK TABLES torrents WRITE",
        "LOCK TABLES torrents READ, zzz WRITE",
        "FLUSH TABLES WITH READ LOCK",
        "SET GLOBAL general_log = 0",
        "SET @@GLOBAL.general_log = 0",
        "CREATE TEMPORARY TABLE t (a INT)",
        "SELECT * FROM torrents FOR UPDATE",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "/*!40100 DROP TABLE torrents */",
    ):
        assert not READS.match(statement), statement
