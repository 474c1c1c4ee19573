"""Both ends of a move are compared table by table."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tracker_backup.errors import SourceError
from tracker_backup.moving.rows import count_rows, differences, total
from tracker_backup.sources.interface import Source


def test_rows_of_a_database_are_counted_whatever_its_tables_are_called(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute('CREATE TABLE "odd "" name" (id INTEGER PRIMARY KEY AUTOINCREMENT)')
        database.execute("CREATE TABLE keys (id)")
        database.execute("CREATE VIEW seen AS SELECT * FROM keys")
        database.executemany('INSERT INTO "odd "" name" VALUES (?)', [(1,), (2,)])

    rows = count_rows([Source("tracker", "sqlite", path), Source("files", "files", tmp_path)])

    assert rows == {"tracker": {'odd " name': 2, "keys": 0}}
    assert total(rows) == 2


def test_a_database_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        count_rows([Source("tracker", "sqlite", tmp_path / "tracker.db")])


def test_every_difference_is_named() -> None:
    expected = {"tracker": {"torrents": 3, "keys": 1}, "index": {"users": 1}}
    found = {"tracker": {"torrents": 2, "extra": 1}, "more": {}}

    assert differences(expected, found) == [
        "tracker: extra has 1 rows, and it had no such table",
        "tracker: keys has no such table, and it had 1 rows",
        "tracker: torrents has 2 rows, and it had 3 rows",
        "index is missing",
    ]
    assert differences(expected, expected) == []
