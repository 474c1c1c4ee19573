"""What a schema is made of, compared."""

from __future__ import annotations

from datetime import UTC, datetime

from tracker_backup.sources.mysql.inventory import (
    count_differences,
    differences,
    inventory_statements,
    parse_inventory,
    without_past_events,
)


def test_every_kind_is_asked_for_and_read():
    statements = inventory_statements("it's")
    assert len(statements) == 9
    assert all("it's" not in statement for statement in statements)
    found = parse_inventory([[("torrents", "BASE TABLE")], [("torrents.id", "1", "int")], *[[] for _ in range(7)]])
    assert found == {("table", "torrents", "BASE TABLE"), ("column", "torrents.id", "1", "int")}


def test_differences_are_named_by_kind():
    expected = frozenset({("table", "a", "x"), ("trigger", "t", "1"), ("view", "v", "old")})
    found = frozenset({("table", "a", "x"), ("view", "v", "new"), ("event", "e", "1")})
    assert differences(expected, found) == [
        "trigger t is not there",
        "event e should not be there",
        "view v is another",
    ]
    assert differences(expected, expected) == []


def test_not_too_many_are_named():
    expected = frozenset(("table", f"t{number}", "") for number in range(9))
    assert differences(expected, frozenset()) == [
        *(f"table t{number} is not there" for number in range(5)),
        "and 4 more",
    ]


def test_events_whose_last_time_has_passed_do_not_count():
    def event(name: str, ends: str = "", at: str = "") -> tuple[str, ...]:
        return ("event", name, "sum", "RECURRING", "1", "DAY", "2020-01-01 00:00:00", ends, at, "root@%")

    passed = {event("ended", ends="2026-03-01 11:59:59"), event("once", at="2026-03-01 11:59:59")}
    to_come = {event("daily"), event("until", ends="2026-03-03 00:00:00"), event("then", at="2026-03-03 00:00:00")}
    things = frozenset({("table", "a", "x"), *passed, *to_come})
    assert things - without_past_events(things, datetime(2026, 3, 1, 12, tzinfo=UTC)) == passed


def test_numbers_of_objects_are_compared_and_events_may_have_passed():
    stored = {"table": 2, "view": 0, "event": 2, "trigger": 1}
    assert count_differences(stored, {"table": 2, "event": 1, "trigger": 1}) == []
    assert count_differences(stored, {"table": 1, "event": 3, "trigger": 1, "function": 1}) == [
        "3 objects of kind event instead of 2",
        "1 objects of kind function instead of 0",
        "1 objects of kind table instead of 2",
    ]
