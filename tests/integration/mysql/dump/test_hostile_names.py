"""Schemas, tables, users and passwords that would be options, SQL or a shell's words if anybody took them for such."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.database_servers import Server
from support.faults import FULL
from support.mysql_program import LEAST, installation_for

pytestmark = pytest.mark.guarantee(14)

NAMES = [
    "--all-databases", "a`b", "a\n`) VALUES (1);\nb",
    "a'b\"c", "100%", "x; DROP DATABASE mysql", "$(touch canary)", "caf\u00e9 -- #", "a\\b",
    "-e", "a b", "*/ /*!50000 x", "%s", "~", "\u202ered",
]  # fmt: skip
PASSWORDS = ["-p", "'\"`\\", "a b#c;d", "$(touch canary)%", "caf\u00e9\u20ac", "]\t[client]", "=x=", "\\n"]


def quoted(name: str) -> str:
    """Return an identifier as SQL writes it."""
    return "`" + name.replace("`", "``") + "`"


def text(value: str) -> str:
    """Return a string as SQL writes it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def test_schemas_and_tables(server: Server, tmp_path: Path, tally: Callable[[str, int], None]) -> None:
    program = installation_for(server, tmp_path / "host", check="quick")
    before = {row[0] for row in server.sql("SHOW DATABASES")}
    grants = [grant.replace("`{schema}`.*", "*.*") for grant in LEAST[server.vendor]]
    names = NAMES if FULL else NAMES[:4]
    for number, name in enumerate(names):
        user, password = f"u{number} {name[:8]}".rstrip(), PASSWORDS[number % len(PASSWORDS)]
        schema = f"{name} {server.vendor}"
        server.sql(f"CREATE DATABASE {quoted(schema)}")
        table = f"{quoted(schema)}.{quoted(name)}"
        server.sql(f"CREATE TABLE {table} ({quoted(name)} INT PRIMARY KEY); INSERT INTO {table} VALUES (1), (2)")
        server.sql(f"CREATE USER {text(user)}@'%' IDENTIFIED BY {text(password)}")
        for grant in grants:
            server.sql(f"GRANT {grant} TO {text(user)}@'%'")
        program.dump(server, schema, user, password)

        manifest = program.back_up()
        restored = program.run("restore", "latest", "--to", str(tmp_path / f"to-{number}"), f"--table={name}")
        checked = program.run("verify", "--full")

        assert manifest["artifacts"][0]["engine"]["rows"] == {name: 2}
        assert restored.returncode == 0, restored.stderr
        assert checked.returncode == 0, checked.stderr
        assert not any("\u202e" in said for said in (restored.stdout, checked.stdout, restored.stderr, checked.stderr))
    tally("inputs tried", len(names))

    assert before <= {row[0] for row in server.sql("SHOW DATABASES")}
    assert list(tmp_path.rglob("canary")) == []
