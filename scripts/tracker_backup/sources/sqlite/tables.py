"""Copy single tables of a database that nobody else uses into a new one: definition, rows, indexes; no triggers."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from tracker_backup.errors import CheckFailedError, RestoreError
from tracker_backup.sources.tables import require_tables
from tracker_backup.system.files import create_private

_TABLES = "SELECT name, sql FROM whole.sqlite_schema WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_'"
_INDEXES = (
    "SELECT sql FROM whole.sqlite_schema WHERE type = 'index' AND tbl_name = ? COLLATE NOCASE AND sql IS NOT NULL"
)


def copy_tables(database: Path, target: Path, tables: Sequence[str], source: str) -> dict[str, int]:
    """Make the database `target`, private, with these tables, and return the number of rows of each.

    Raises UsageError for a table that is not there, RestoreError for one that cannot be copied or when the disk does
    not take it, CheckFailedError when the copy fails SQLite's check.
    """
    whole = f"file:{quote(os.fsencode(database))}?immutable=1"
    try:
        with closing(sqlite3.connect(whole, uri=True)) as connection:
            settings = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("encoding", "page_size")}
        os.close(create_private(target))
        with closing(sqlite3.connect(f"file:{quote(os.fsencode(target))}", uri=True, isolation_level=None)) as alone:
            for name, value in settings.items():
                alone.execute(f"PRAGMA {name} = '{value}'")
            alone.execute("ATTACH DATABASE ? AS whole", (whole,))
            return _copy(alone, tables, source)
    except sqlite3.Error as error:
        raise RestoreError(
            f"{source}: {', '.join(tables)} cannot be copied: {error}",
            hint="restore the whole database with --to, and take the table out with the program sqlite3",
        ) from error


def _copy(alone: sqlite3.Connection, tables: Sequence[str], source: str) -> dict[str, int]:
    there = {str(name): str(sql) for name, sql in alone.execute(_TABLES)}
    require_tables(there, tables, source)
    alone.execute("BEGIN")
    rows = {name: _copy_table(alone, name, there[name]) for name in tables}
    numbered = alone.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'").fetchone()
    if numbered is not None:  # what AUTOINCREMENT must not give out again
        alone.execute("DELETE FROM sqlite_sequence")
        for name in tables:
            alone.execute("INSERT INTO sqlite_sequence SELECT * FROM whole.sqlite_sequence WHERE name = ?", (name,))
    alone.execute("COMMIT")
    said = [str(row[0]) for row in alone.execute("PRAGMA main.integrity_check")]
    if said != ["ok"]:
        raise CheckFailedError(f"{source}: the copy fails integrity_check: {'; '.join(said[:3])}")
    return rows


def _copy_table(alone: sqlite3.Connection, name: str, definition: str) -> int:
    if definition.upper().startswith("CREATE VIRTUAL"):
        raise RestoreError(
            f"{name} is a virtual table, which lives in others", hint="restore the whole database with --to"
        )
    alone.execute(definition)
    # Generated columns are made anew; 1 are hidden ones, 2 and 3 generated.
    listed = alone.execute("SELECT name FROM pragma_table_xinfo(?, 'whole') WHERE hidden = 0", (name,))
    columns = ", ".join(_quoted(str(row[0])) for row in listed)
    place = _quoted(name)
    alone.execute(f"INSERT INTO main.{place} ({columns}) SELECT {columns} FROM whole.{place}")  # noqa: S608 - quoted
    for (index,) in alone.execute(_INDEXES, (name,)).fetchall():
        alone.execute(index)
    return int(alone.execute(f"SELECT count(*) FROM main.{place}").fetchone()[0])  # noqa: S608 - quoted


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
