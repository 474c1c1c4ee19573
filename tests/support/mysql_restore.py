"""Backups of schemas on the tests' own servers, and what a restored schema must look like."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.database_servers import Server
from support.mysql_program import CANARY, MysqlInstallation, installation_for
from support.mysql_source import connection
from support.mysql_world import everything_schema
from tracker_backup.sources.mysql import inventory
from tracker_backup.sources.mysql.checksums import SESSION, Sum, by_table, columns_statement, parse_sum, sum_statement

ADMIN, ADMIN_PASSWORD = "admin", "admin canary 7d1f '\"\\#% $`/@:?"


@dataclass
class Backed:
    """A server, a schema on it, a user with all rights in that and none elsewhere, the program, and its manifest."""

    server: Server
    schema: str
    user: str
    program: MysqlInstallation
    manifest: dict[str, Any]

    @property
    def target(self) -> str:
        """Return the name of a schema that no other test uses."""
        return f"copy_of_{self.schema}"

    @property
    def artifact(self) -> Path:
        """Return the stored dump."""
        found: Path = self.program.repository / self.manifest["id"] / "tracker.sql.zst"
        return found

    def as_admin(self) -> tuple[str, ...]:
        """Return the arguments that name the server's administrator."""
        file = self.program.directory / "admin.password"
        file.write_text(ADMIN_PASSWORD + "\n", encoding="utf-8")
        file.chmod(0o600)
        return ("--mysql-user", ADMIN, "--mysql-password-file", str(file))

    def into(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Restore into that schema, and return how it ended."""
        return self.program.run("restore", "latest", "--source", "tracker", "--into", self.target, *arguments)

    def refusal(self, *arguments: str, code: int = 1) -> str:
        """Return what a restore into that schema says that must fail and leave nothing."""
        there = schemas(self.server)
        done = self.into(*arguments)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert schemas(self.server) == there
        return done.stderr


def everything(server: Server, schema: str) -> None:
    """Make a schema with everything that this server can have."""
    everything_schema(server, schema, only=True)


def backed_up(server: Server, directory: Path, number: int, make: Callable[[Server, str], None] = everything) -> Backed:
    """Make a schema and back it up; the user has what the images give to theirs, and may read all routines."""
    schema, user = f"restore_{number}", f"keeper_{number}"
    make(server, schema)
    reads = "SHOW_ROUTINE ON *.*" if server.vendor == "mysql" else "SELECT ON `mysql`.`proc`"
    server.user(user, CANARY, f"ALL ON `{schema}`.*", reads)
    there = server.sql(f"SELECT User FROM mysql.user WHERE User = '{ADMIN}'")
    if not there:
        server.user(ADMIN, ADMIN_PASSWORD, "ALL ON *.*")
    program = installation_for(server, directory / "host", check="quick")
    program.dump(server, schema, user)
    return Backed(server, schema, user, program, program.back_up())


def contents(server: Server, schema: str) -> dict[str, Sum]:
    """Return rows and sums of all tables of a schema."""
    found = connection(server)
    tables = by_table(found.query(columns_statement(schema))[0])
    statements = [sum_statement(schema, table, columns) for table, columns in tables.items()]
    answers = found.query(SESSION, *statements)[1:]
    return {table: parse_sum(rows) for table, rows in zip(tables, answers, strict=True)}


def objects(server: Server, schema: str) -> frozenset[tuple[str, ...]]:
    """Return everything that a schema is made of; a view's text names its schema, so it is left out."""
    answers = connection(server).query(*inventory.inventory_statements(schema))
    found = inventory.parse_inventory(answers)
    return frozenset((*each[:2], *each[3:]) if each[0] == "view" else each for each in found)


def schemas(server: Server) -> set[str]:
    """Return the names of all schemas of a server."""
    return {row[0] for row in server.sql("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA")}
