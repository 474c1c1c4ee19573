"""Compare a schema that was loaded with what its dump held: objects, rows, and sums where the backup has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tracker_backup.sources.mysql.checksums import (
    SESSION,
    Sum,
    by_table,
    columns_statement,
    differences,
    parse_sum,
    quoted,
    sum_statement,
)
from tracker_backup.sources.mysql.dumptext import DumpContents
from tracker_backup.sources.mysql.schemas import look
from tracker_backup.sources.mysql.ways import Connection

_SUM_SECONDS = 6 * 3600
_EVENT = "event"


@dataclass(frozen=True)
class Compared:
    """What a comparison has shown: `problems` speak against the load, `notes` are for people, `what` was compared."""

    problems: tuple[str, ...]
    notes: tuple[str, ...]
    what: str


def compare(connection: Connection, schema: str, contents: DumpContents, sums: Mapping[str, str]) -> Compared:
    """Compare a schema with a dump's contents; `sums` are the digests of its tables at the time of the dump, if any.

    Raises ServerRefusalError when the server cannot be asked.
    """
    problems, notes = compare_objects(connection, schema, contents)
    columns = by_table(connection.query(columns_statement(schema))[0])
    counted = {table: rows for table, rows in contents.rows.items() if table in columns}
    if sums and set(counted) <= set(sums):
        problems += _sums(connection, schema, columns, {name: Sum(counted[name], sums[name]) for name in counted})
        what = "objects, rows and sums"
    else:
        problems += _rows(connection, schema, counted)
        what = "objects and rows"
    return Compared(tuple(problems), tuple(notes), f"{what} of {len(counted)} tables ({sum(counted.values())} rows)")


def compare_objects(connection: Connection, schema: str, contents: DumpContents) -> tuple[list[str], list[str]]:
    """Return what is missing or too much in a schema, and notes on what a server leaves out with right.

    Raises ServerRefusalError when the server cannot be asked.
    """
    found = look(connection, schema)
    things = () if found is None else found.things
    problems = _missing("table", contents.rows, [each.name for each in things if each.kind in {"TABLE", "SEQUENCE"}])
    problems += _missing("view", contents.views, [each.name for each in things if each.kind == "VIEW"])
    notes = []
    for kind, expected in contents.stored.items():
        there = sum(each.kind == kind.upper() for each in things)
        if there == expected:
            continue
        said = f"{there} {kind}s instead of {expected}"
        if kind == _EVENT and there < expected:
            notes.append(f"{said}: the server drops at once those whose only time has passed")
        else:
            problems.append(said)
    return problems, notes


def orphans(connection: Connection, accounts: frozenset[tuple[str, str]]) -> list[str]:
    """Return those of the accounts, owners of objects, that the server does not have.

    Raises ServerRefusalError when the server cannot be asked, or does not let this user know.
    """
    if not accounts:
        return []
    rows = connection.query("SELECT User, Host FROM mysql.user")[0]
    there = {(user, host) for user, host, *_ in rows}
    # A role, or MariaDB's PUBLIC, has no host.
    return sorted(f"{user}@{host}" for user, host in accounts - there if host)


def _missing(kind: str, expected: Mapping[str, int] | set[str], found: Sequence[str]) -> list[str]:
    lost = [f"{kind} {name} is not there" for name in sorted(set(expected) - set(found))]
    return lost + [f"{kind} {name} should not be there" for name in sorted(set(found) - set(expected))]


def _rows(connection: Connection, schema: str, expected: Mapping[str, int]) -> list[str]:
    statements = [f"SELECT COUNT(*) FROM {quoted(schema)}.{quoted(table)}" for table in expected]  # noqa: S608 - quoted
    answers = connection.query(*statements, seconds=_SUM_SECONDS) if statements else []
    counted = {table: int(rows[0][0]) for table, rows in zip(expected, answers, strict=True)}
    return [f"table {table}: {counted[table]} rows instead of {rows}" for table, rows in expected.items()
            if counted[table] != rows]  # fmt: skip


def _sums(
    connection: Connection, schema: str, columns: Mapping[str, list[tuple[str, str]]], expected: Mapping[str, Sum]
) -> list[str]:
    statements = [sum_statement(schema, table, columns[table]) for table in expected]
    answers = connection.query(SESSION, *statements, seconds=_SUM_SECONDS)[1:]
    return differences(expected, {table: parse_sum(rows) for table, rows in zip(expected, answers, strict=True)})
