"""Single tables out of an SQLite database: rows, indexes, generated columns, numbering; nothing else."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from support.program import Installation
from tracker_backup.repository.store import Repository

SCHEMA = '''
PRAGMA encoding = 'UTF-16le';
PRAGMA page_size = 8192;
CREATE TABLE torrents (id INTEGER PRIMARY KEY AUTOINCREMENT, info_hash TEXT NOT NULL UNIQUE, n INT DEFAULT 0,
    twice INT GENERATED ALWAYS AS (n * 2) STORED);
CREATE INDEX "by ""n""" ON torrents (n) WHERE n > 1;
CREATE TABLE "odd ""name""" (a TEXT PRIMARY KEY, b BLOB) WITHOUT ROWID;
CREATE TABLE other (id INTEGER PRIMARY KEY);
CREATE TRIGGER t AFTER INSERT ON torrents BEGIN INSERT INTO other VALUES (NULL); END;
INSERT INTO torrents (info_hash, n) VALUES ('one', 1), ('two', 2), ('three', 3);
DELETE FROM torrents WHERE id = 3;
INSERT INTO "odd ""name""" VALUES ('ä', x'0001ff'), ('b', NULL);
CREATE VIRTUAL TABLE words USING fts5 (word);
'''


@pytest.fixture
def program(tmp_path: Path) -> Installation:
    made = Installation(tmp_path, files={"enabled": False})
    Repository(made.repository).init()
    with closing(sqlite3.connect(made.database)) as connection:
        connection.executescript(SCHEMA)
    made.back_up()
    return made


def test_tables_become_a_database_of_their_own(program: Installation) -> None:
    directory = program.directory / "restored"
    done = program.run("restore", "latest", "--to", str(directory), "--table", "torrents", "--table", 'odd "name"')

    assert done.returncode == 0, done.stderr
    assert [file.name for file in directory.iterdir()] == ["tracker.tables.sqlite3"]
    assert (directory / "tracker.tables.sqlite3").stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(directory / "tracker.tables.sqlite3")) as connection:
        said = lambda sql: connection.execute(sql).fetchall()  # noqa: E731
        assert said("SELECT id, info_hash, n, twice FROM torrents") == [(1, "one", 1, 2), (2, "two", 2, 4)]
        assert said('SELECT * FROM "odd ""name"""') == [("b", None), ("ä", b"\x00\x01\xff")]
        names = said("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name")
        assert names == [('by "n"',), ('odd "name"',), ("torrents",)]
        assert said("SELECT seq FROM sqlite_sequence") == [(3,)]
        assert said("PRAGMA encoding") == [("UTF-16le",)]
        assert said("PRAGMA page_size") == [(8192,)]


@pytest.mark.parametrize(
    ("table", "said", "code"), [("peers", "has no table peers", 2), ("words", "words is a virtual table", 1)]
)
def test_what_cannot_be_copied_leaves_nothing(program: Installation, table: str, said: str, code: int) -> None:
    directory = program.directory / "restored"
    done = program.run("restore", "latest", "--to", str(directory), "--table", table)
    assert done.returncode == code
    assert said in done.stderr
    assert list(directory.iterdir()) == []
