"""Counts and sums of a table's rows: statements that mean the same on MySQL and MariaDB, old and new.

Each row becomes a text, the text a number out of its SHA-256, and the numbers are added up: the order of the rows does
not count, and a row that is there twice does. MD5() and SHA1() are gone in MySQL 9; CHECKSUM TABLE depends on the row
format, so that a table which was altered once and its restored twin differ.
https://dev.mysql.com/doc/refman/8.4/en/checksum-table.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tracker_backup.sources.mysql.facts import sql_text

SESSION = "SET SESSION time_zone = '+00:00', sql_mode = ''"
"""What both sides run first: times and quotes must not depend on how a server was set up."""

# Their text is short and holds no comma: it can stand as it is. Everything else is hashed on its own, since a row of
# large texts put together would be longer than max_allowed_packet, and NULL then.
_PLAIN = frozenset(
    {"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double"}
    | {"date", "time", "datetime", "timestamp", "year"}
)
# Where the hash needs a text: a geometry is no string, and MySQL's vectors have a function of their own.
_GEOMETRIES = frozenset(
    {"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"}
    | {"geomcollection", "geometrycollection"}
)


@dataclass(frozen=True)
class Sum:
    """The rows of a table: how many, and the sum of their numbers as decimal digits."""

    rows: int
    digest: str


def columns_statement(schema: str) -> str:
    """Return a SELECT of table, column and data type of every column that a dump carries or makes anew.

    Times at which rows began to be valid are not among them: they are those of the load. Nor are tables whose rows are
    other tables': clients dump their definition only.
    """
    return (
        "SELECT c.TABLE_NAME, c.COLUMN_NAME, LOWER(c.DATA_TYPE) FROM information_schema.COLUMNS c"  # noqa: S608 - as hex
        " JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME"
        f" WHERE c.TABLE_SCHEMA = {sql_text(schema)} AND t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')"
        " AND UPPER(COALESCE(t.ENGINE, '')) NOT IN ('MRG_MYISAM', 'FEDERATED')"
        " AND COALESCE(c.GENERATION_EXPRESSION, '') NOT IN ('ROW START', 'ROW END')"
        " ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION"
    )


def by_table(rows: Iterable[Sequence[str]]) -> dict[str, list[tuple[str, str]]]:
    """Return each table's columns, name and type, from the answer to :func:`columns_statement`."""
    tables: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in rows:
        tables.setdefault(table, []).append((column, kind))
    return tables


def sum_statement(schema: str, table: str, columns: Sequence[tuple[str, str]]) -> str:
    """Return a SELECT that gives a table's number of rows and their sum."""
    text = f"CONCAT_WS(',', {', '.join(_text(quoted(name), kind) for name, kind in columns)})"
    number = f"CAST(CONV(LEFT(SHA2({text}, 256), 15), 16, 10) AS UNSIGNED)"
    return f"SELECT COUNT(*), COALESCE(SUM({number}), 0) FROM {quoted(schema)}.{quoted(table)}"  # noqa: S608 - quoted


def parse_sum(rows: Sequence[Sequence[str]]) -> Sum:
    """Read the answer to :func:`sum_statement`."""
    count, digest = rows[0]
    return Sum(int(count), digest)


def differences(expected: Mapping[str, Sum], found: Mapping[str, Sum]) -> list[str]:
    """Return what differs, a phrase for each table; `expected` is the source, `found` what was restored."""
    said = [f"table {table} is not there" for table in expected if table not in found]
    said += [f"table {table} should not be there" for table in found if table not in expected]
    for table in expected.keys() & found.keys():
        if expected[table].rows != found[table].rows:
            said.append(f"table {table}: {found[table].rows} rows instead of {expected[table].rows}")
        elif expected[table] != found[table]:
            said.append(f"table {table}: {found[table].rows} rows, but not the same ones")
    return sorted(said)


def quoted(name: str) -> str:
    """Return a name as SQL writes it, in every SQL mode."""
    return "`" + name.replace("`", "``") + "`"


def _text(column: str, kind: str) -> str:
    """Return an expression that is never NULL, and differs when the value does."""
    if kind in _PLAIN:
        return f"COALESCE({column}, 'N')"
    if kind in _GEOMETRIES:
        column = f"CONCAT(ST_SRID({column}), HEX(ST_AsWKB({column})))"
    elif kind == "vector":
        column = f"HEX({column})"
    return f"COALESCE(SHA2({column}, 256), 'N')"
