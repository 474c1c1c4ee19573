"""Statements that sum a table up, and what their answers say."""

from __future__ import annotations

from tracker_backup.sources.mysql.checksums import (
    Sum,
    by_table,
    columns_statement,
    differences,
    parse_sum,
    quoted,
    sum_statement,
)


def test_short_values_stand_as_they_are_and_all_others_are_hashed():
    statement = sum_statement("s", "t", [("id", "int"), ("name", "varchar"), ("place", "point"), ("v", "vector")])
    assert "COALESCE(`id`, 'N')" in statement
    assert "COALESCE(SHA2(`name`, 256), 'N')" in statement
    assert "ST_AsWKB(`place`)" in statement
    assert "SHA2(HEX(`v`), 256)" in statement
    assert statement.endswith("FROM `s`.`t`")
    assert "MD5" not in statement


def test_names_are_quoted_and_schemas_are_no_sql():
    assert quoted("a`b") == "`a``b`"
    assert "o'brien" not in columns_statement("o'brien")


def test_columns_are_collected_by_table():
    rows = [("b", "x", "int"), ("b", "y", "text"), ("a", "z", "date")]
    assert by_table(rows) == {"b": [("x", "int"), ("y", "text")], "a": [("z", "date")]}


def test_what_differs_is_said_for_each_table():
    expected = {"same": Sum(1, "5"), "lost": Sum(1, "1"), "fewer": Sum(3, "9"), "other": Sum(2, "7")}
    found = {"same": Sum(1, "5"), "new": Sum(0, "0"), "fewer": Sum(2, "8"), "other": Sum(2, "6")}
    assert differences(expected, found) == [
        "table fewer: 2 rows instead of 3",
        "table lost is not there",
        "table new should not be there",
        "table other: 2 rows, but not the same ones",
    ]
    assert differences(expected, dict(expected)) == []


def test_a_sum_is_more_than_a_float_can_hold():
    assert parse_sum([("2", "1152921504606846975123")]) == Sum(2, "1152921504606846975123")
