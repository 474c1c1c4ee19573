"""Schemas of a server as wholes: is one there, what is in it, make it, empty it, drop it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracker_backup.sources.mysql.checksums import quoted
from tracker_backup.sources.mysql.facts import sql_text
from tracker_backup.sources.mysql.load import load_text
from tracker_backup.sources.mysql.ways import Connection

__all__ = [
    "SYSTEM",
    "Schema",
    "Thing",
    "create",
    "drop",
    "drop_statements",
    "drop_things",
    "look",
    "quoted",
    "run_statements",
]

SYSTEM = frozenset({"mysql", "sys", "information_schema", "performance_schema"})
LOCK_SECONDS = 10
_DROP_SECONDS = 600
_SEQUENCE = "SEQUENCE"
# Of these kinds each is dropped by its own statement; views before what they need, packages with their bodies.
_ORDER = ("VIEW", "TRIGGER", "EVENT", "PROCEDURE", "FUNCTION", "PACKAGE BODY", "PACKAGE")


@dataclass(frozen=True)
class Thing:
    """A table, view, sequence, trigger, event or routine; `kind` is as DROP calls it."""

    kind: str
    name: str


@dataclass(frozen=True)
class Schema:
    """A schema as it is now: its defaults for new tables, what is in it, the bytes of its tables and indexes."""

    name: str
    charset: str
    collation: str
    things: tuple[Thing, ...]
    bytes: int = 0

    @property
    def empty(self) -> bool:
        """Whether nothing is in it."""
        return not self.things

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of its tables and sequences."""
        return tuple(thing.name for thing in self.things if thing.kind in {"TABLE", _SEQUENCE})

    def __str__(self) -> str:
        """Return its name and what is in it, for people."""
        others = len(self.things) - len(self.tables)
        return f"{self.name} ({len(self.tables)} tables, {others} other objects)"


def look(connection: Connection, name: str) -> Schema | None:
    """Return a schema as far as the user can see it, None where there is none of that name.

    Raises ServerRefusalError when the server cannot be asked.
    """
    text = sql_text(name)
    found, tables, *others = connection.query(*(statement.format(name=text) for statement in _STATEMENTS))
    if not found:
        return None
    things = [Thing(_KINDS.get(kind, "TABLE"), table) for table, kind, _ in tables]
    things += [Thing(kind, each) for rows in others for each, kind in rows if kind in _ORDER]
    charset, collation = found[0]
    return Schema(name, charset, collation, tuple(things), sum(int(size) for _, _, size in tables))


_KINDS = {"VIEW": "VIEW", "SYSTEM VIEW": "VIEW", _SEQUENCE: _SEQUENCE}
_STATEMENTS = (
    (
        "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA"
        " WHERE SCHEMA_NAME = {name}"
    ),
    (
        "SELECT TABLE_NAME, TABLE_TYPE, COALESCE(DATA_LENGTH, 0) + COALESCE(INDEX_LENGTH, 0)"
        " FROM information_schema.TABLES WHERE TABLE_SCHEMA = {name} ORDER BY TABLE_NAME"
    ),
    "SELECT TRIGGER_NAME, 'TRIGGER' FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = {name}",
    "SELECT EVENT_NAME, 'EVENT' FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {name}",
    "SELECT ROUTINE_NAME, ROUTINE_TYPE FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = {name}",
)


def create(connection: Connection, name: str, charset: str | None, collation: str | None) -> None:
    """Make a schema; without a character set it gets utf8mb4.

    Raises ServerRefusalError when the server does not.
    """
    defaults = f"CHARACTER SET {charset or 'utf8mb4'}" + (f" COLLATE {collation}" if collation else "")
    connection.query(f"CREATE DATABASE {quoted(name)} {defaults}")


def set_defaults(connection: Connection, schema: Schema, charset: str | None, collation: str | None) -> None:
    """Give a schema these defaults for new tables, where they are known and not its own.

    Raises ServerRefusalError when the server does not.
    """
    if charset and collation and (charset, collation) != (schema.charset, schema.collation):
        connection.query(f"ALTER DATABASE {quoted(schema.name)} CHARACTER SET {charset} COLLATE {collation}")


def drop(connection: Connection, name: str) -> None:
    """Drop a schema with all that is in it; a missing one is fine.

    Raises ServerRefusalError when the server does not.
    """
    connection.query(
        f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}",
        f"DROP DATABASE IF EXISTS {quoted(name)}",
        seconds=_DROP_SECONDS,
    )


def drop_things(connection: Connection, schema: Schema, *, tables: bool) -> None:
    """Drop what is no table, and with `tables` all that is in a schema; its users' rights in it stay.

    Raises LoadError when the server does not.
    """
    run_statements(connection, schema.name, drop_statements(schema, tables=tables))


def run_statements(connection: Connection, schema: str, statements: Sequence[str]) -> None:
    """Run statements that change what a schema is made of; a lock is waited for only shortly.

    Raises LoadError when the server does not take one.
    """
    if statements:
        settings = f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}, foreign_key_checks = 0"
        text = "".join(f"{statement};\n" for statement in (settings, *statements))
        load_text(connection, schema, text.encode(), max_silence_seconds=_DROP_SECONDS)


def drop_statements(schema: Schema, *, tables: bool) -> list[str]:
    """Return the statements that drop what is no table, and with `tables` all."""
    kinds: Sequence[str] = (*_ORDER, "TABLE", _SEQUENCE) if tables else _ORDER
    statements = []
    for kind in kinds:
        names = [thing.name for thing in schema.things if thing.kind == kind]
        if names and kind.startswith("PACKAGE"):
            statements.append("SET SESSION sql_mode = 'ORACLE'")  # elsewhere MariaDB knows no packages before 11.4
        statements += [f"DROP {kind} IF EXISTS {quoted(schema.name)}.{quoted(name)}" for name in names]
    return statements
