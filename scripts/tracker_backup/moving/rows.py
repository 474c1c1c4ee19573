"""Count the rows of a stack's databases, so that both ends of a move can be compared."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from tracker_backup.errors import SourceError
from tracker_backup.sources.mysql.checksums import quoted
from tracker_backup.sources.mysql.reach import reach
from tracker_backup.sources.sqlite.opening import explain, look_at, open_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker_backup.moving.note import Rows
    from tracker_backup.repository.manifest import Manifest
    from tracker_backup.sources.interface import Source

COUNT_SECONDS = 3600
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"


def count_rows(sources: Iterable[Source]) -> Rows:
    """Return the rows of every table of those databases; files have none.

    Raises SourceError when one of them cannot be read.
    """
    return {source.name: _rows_of(source) for source in sources if source.type in ("sqlite", "mysql")}


def rows_in(manifest: Manifest) -> Rows:
    """Return the rows that a backup's manifest tells: those of dumps, which are counted as they are made."""
    return {
        artifact.source: {str(table): int(rows) for table, rows in artifact.engine["rows"].items()}
        for artifact in manifest.artifacts
        if isinstance(artifact.engine.get("rows"), dict)
    }


def differences(expected: Rows, found: Rows) -> list[str]:
    """Return a line for each table that does not have the rows that are expected of it."""
    lines = []
    for source, tables in expected.items():
        there = found.get(source)
        if there is None:
            lines.append(f"{source} is missing")
            continue
        names = sorted({*tables, *there})
        lines += [
            f"{source}: {name} has {_said(there.get(name))}, and it had {_said(tables.get(name))}"
            for name in names
            if there.get(name) != tables.get(name)
        ]
    return lines


def total(rows: Rows) -> int:
    """Return the rows of all tables."""
    return sum(sum(tables.values()) for tables in rows.values())


def _said(rows: int | None) -> str:
    return "no such table" if rows is None else f"{rows} rows"


def _rows_of(source: Source) -> dict[str, int]:
    return _sqlite_rows(source) if source.target is None else _mysql_rows(source)


def _sqlite_rows(source: Source) -> dict[str, int]:
    database = look_at(source.path)
    try:
        with closing(open_source(database)) as connection:
            names: Sequence[str] = [name for (name,) in connection.execute(_TABLES)]
            return {name: _count(connection, name) for name in names}
    except sqlite3.Error as error:
        raise explain(error, source.path) from error


def _count(connection: sqlite3.Connection, table: str) -> int:
    named = table.replace('"', '""')
    ((rows,),) = connection.execute(f'SELECT COUNT(*) FROM "{named}"')  # noqa: S608 - a name cannot be a parameter
    return int(rows)


def _mysql_rows(source: Source) -> dict[str, int]:
    if source.target is None:
        raise SourceError(f"source {source.name} names no schema on a server")
    reached = reach(source.target, source.path)
    tables = [table.name for table in reached.facts.tables if not table.is_view]
    counts = [
        f"SELECT COUNT(*) FROM {quoted(source.target.schema)}.{quoted(table)}"  # noqa: S608 - as above
        for table in tables
    ]
    answers = reached.connection.query(*counts, seconds=COUNT_SECONDS) if counts else []
    return {table: int(answer[0][0]) for table, answer in zip(tables, answers, strict=True)}
