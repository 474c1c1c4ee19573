"""What a schema is made of, compared."""

from __future__ import annotations

from tracker_backup.sources.mysql.inventory import differences, inventory_statements, parse_inventory


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
