"""What a schema is made of, as a server tells it: for comparing a restored schema with the one that was dumped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from tracker_backup.sources.mysql.facts import sql_text

Inventory = frozenset[tuple[str, ...]]
"""Everything in a schema, each thing with all that defines it: its kind first, then its name."""

# Only what a restore must bring back: no times of creation, no numbers of the server's own, no estimates. What some
# server does not know yet stands in comments of versions.
_STATEMENTS = {
    "table": (
        "SELECT TABLE_NAME, TABLE_TYPE, COALESCE(ENGINE, ''), COALESCE(TABLE_COLLATION, ''), TABLE_COMMENT"
        " FROM information_schema.TABLES WHERE TABLE_SCHEMA = {name} AND TABLE_TYPE <> 'VIEW'"
    ),
    "column": (
        "SELECT CONCAT(c.TABLE_NAME, '.', c.COLUMN_NAME), c.ORDINAL_POSITION, c.COLUMN_TYPE, c.IS_NULLABLE,"
        " COALESCE(c.COLUMN_DEFAULT, 'no default'), c.EXTRA, COALESCE(c.COLLATION_NAME, ''),"
        " COALESCE(c.GENERATION_EXPRESSION, ''), c.COLUMN_COMMENT FROM information_schema.COLUMNS c"
        " JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME"
        " WHERE c.TABLE_SCHEMA = {name} AND t.TABLE_TYPE <> 'VIEW'"
    ),
    "index": (
        "SELECT CONCAT(TABLE_NAME, '.', INDEX_NAME), SEQ_IN_INDEX, COALESCE(COLUMN_NAME, ''), NON_UNIQUE, INDEX_TYPE"
        " FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {name}"
    ),
    "foreign key": (
        "SELECT CONCAT(TABLE_NAME, '.', CONSTRAINT_NAME), ORDINAL_POSITION, COLUMN_NAME, REFERENCED_TABLE_NAME,"
        " REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE"
        " WHERE TABLE_SCHEMA = {name} AND REFERENCED_TABLE_NAME IS NOT NULL"
    ),
    "view": (
        "SELECT TABLE_NAME, SHA2(VIEW_DEFINITION, 256), SECURITY_TYPE, DEFINER FROM information_schema.VIEWS"
        " WHERE TABLE_SCHEMA = {name}"
    ),
    "trigger": (
        "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, EVENT_MANIPULATION, ACTION_TIMING, ACTION_ORDER,"
        " SHA2(ACTION_STATEMENT, 256), DEFINER, SQL_MODE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = {name}"
    ),
    "routine": (
        "SELECT ROUTINE_NAME, ROUTINE_TYPE, SHA2(ROUTINE_DEFINITION, 256), SECURITY_TYPE, DEFINER, SQL_MODE"
        " FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = {name}"
    ),
    "parameter": (
        "SELECT CONCAT(SPECIFIC_NAME, '.', ORDINAL_POSITION), COALESCE(PARAMETER_MODE, ''),"
        " COALESCE(PARAMETER_NAME, ''), DTD_IDENTIFIER FROM information_schema.PARAMETERS"
        " WHERE SPECIFIC_SCHEMA = {name}"
    ),
    "event": (
        "SELECT EVENT_NAME, SHA2(EVENT_DEFINITION, 256), EVENT_TYPE, COALESCE(INTERVAL_VALUE, ''),"
        " COALESCE(INTERVAL_FIELD, ''), COALESCE(STARTS, ''), COALESCE(ENDS, ''), COALESCE(EXECUTE_AT, ''), DEFINER"
        " FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {name}"
    ),
}
_COUNTED = frozenset({"table", "view", "trigger", "routine", "event"})
_MOST_NAMED = 5
_ZONES = timedelta(hours=15)
"""Events stand in time zones of their own: more than this no clock is ahead of another."""


def inventory_statements(schema: str) -> list[str]:
    """Return SELECTs that list a schema."""
    return [statement.format(name=sql_text(schema)) for statement in _STATEMENTS.values()]


def parse_inventory(answers: Sequence[Sequence[tuple[str, ...]]]) -> Inventory:
    """Read the answers to :func:`inventory_statements`."""
    return frozenset((kind, *row) for kind, rows in zip(_STATEMENTS, answers, strict=True) for row in rows)


def without_past_events(things: Inventory, now: datetime) -> Inventory:
    """Return an inventory without the events whose last time has passed: a server drops those as they are made."""
    latest = f"{now + _ZONES:%Y-%m-%d %H:%M:%S}"
    return frozenset(thing for thing in things if not (thing[0] == "event" and _last_time(thing) < latest))


def differences(expected: Inventory, found: Inventory) -> list[str]:
    """Return what differs, a phrase for each thing, not too many; `expected` is the source's, `found` the restored."""
    lost, new = _named(expected - found), _named(found - expected)
    said = [f"{what} is not there" for what in sorted(lost - new)]
    said += [f"{what} should not be there" for what in sorted(new - lost)]
    said += [f"{what} is another" for what in sorted(lost & new)]
    return said[:_MOST_NAMED] + ([f"and {len(said) - _MOST_NAMED} more"] if len(said) > _MOST_NAMED else [])


def count_kinds(things: Inventory) -> dict[str, int]:
    """Return how many objects of each kind there are, kinds as they are counted in a dump."""
    counted: dict[str, int] = {}
    for kind, _, *rest in things:
        if kind in _COUNTED:
            name = rest[0].lower() if kind == "routine" else kind
            counted[name] = counted.get(name, 0) + 1
    return counted


def count_differences(expected: Mapping[str, int], found: Mapping[str, int]) -> list[str]:
    """Return what differs in the numbers of objects of each kind, a phrase for each kind.

    There may be fewer events: a server drops those whose last time has passed since the dump was made.
    """
    return [
        f"{found.get(kind, 0)} objects of kind {kind} instead of {expected.get(kind, 0)}"
        for kind in sorted(expected.keys() | found.keys())
        if found.get(kind, 0) != expected.get(kind, 0)
        and not (kind == "event" and found.get(kind, 0) < expected.get(kind, 0))
    ]


def _last_time(event: tuple[str, ...]) -> str:
    *_, ends, at, _definer = event
    return at or ends or "never"


def _named(things: Inventory) -> set[str]:
    return {f"{kind} {name}" for kind, name, *_ in things}
