"""Databases and paths that are unusual and right: they are copied, and the check says of them what is true."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from support.copying import copy_of, verdict_on
from support.sqlite_world import differing_bytes, expected_pages
from support.tracker_standin import build_database, check_invariant

ODD_NAMES = [
    "with spaces.db",
    'it\'s "quoted".db',
    "what?.db",
    "a#b.db",
    "100%25.db",
    "%00.db",
    "new\nline.db",
    "ünïcode-数据.db",
    "-rf.db",
    "file:x?mode=rwc.db",
    "a;b&c|d$e`f\\g.db",
    ":memory:",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_taken_as_they_are(tmp_path: Path, name: str) -> None:
    """Neither SQLite's URIs nor a shell nor an option may see anything in them."""
    directory = tmp_path / name
    directory.mkdir()
    path = directory / name
    build_database(path, mib=0.1)

    snapshot = copy_of(path, directory)

    assert check_invariant(snapshot.path)["ok"]
    assert verdict_on(snapshot.path).ok is True, "the check, too, gets the odd directory's name"
    known = {name, f"{name}-wal", f"{name}-shm"}
    assert {entry.name for entry in directory.iterdir() if entry.is_file()} <= known


def test_a_link_is_followed_to_the_wal_beside_the_real_file(tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "tracker.db", tmp_path / "link.db"
    real.parent.mkdir()
    build_database(real, mib=0.1)
    link.symlink_to(real)
    with closing(sqlite3.connect(real)) as tracker:
        tracker.execute("UPDATE torrents SET completed = 1 WHERE id = 1")
        tracker.execute("UPDATE torrent_aggregate_metrics SET value = 1")
        tracker.commit()
        snapshot = copy_of(link, tmp_path)

    assert check_invariant(snapshot.path)["counter"] == 1


SCHEMAS = {
    "WITHOUT ROWID": "CREATE TABLE t (a TEXT PRIMARY KEY, b) WITHOUT ROWID; INSERT INTO t VALUES ('x', 1), ('y', 2)",
    "FTS5": "CREATE VIRTUAL TABLE t USING fts5(a); INSERT INTO t VALUES ('some words'), ('other words')",
    "R-tree": "CREATE VIRTUAL TABLE t USING rtree(id, a, b); INSERT INTO t VALUES (1, 2, 3)",
    "generated columns": "CREATE TABLE t (a, b AS (a * 2), c AS (a + 1) STORED); INSERT INTO t VALUES (1), (2)",
    "auto_vacuum": "PRAGMA auto_vacuum=FULL; VACUUM; CREATE TABLE t (a); INSERT INTO t VALUES (randomblob(20000));"
    "DELETE FROM t; INSERT INTO t VALUES (1)",
    "incremental": "PRAGMA auto_vacuum=INCREMENTAL; VACUUM; CREATE TABLE t (a); INSERT INTO t VALUES (1)",
    "UTF-16": "PRAGMA encoding='UTF-16le'; CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('ä')",
    "triggers and views": "CREATE TABLE t (a); CREATE VIEW v AS SELECT a FROM t; CREATE TABLE l (a);"
    "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO l VALUES (new.a); END; INSERT INTO t VALUES (1)",
    "STRICT": "CREATE TABLE t (a INTEGER) STRICT; INSERT INTO t VALUES (1)",
    "an odd name": 'CREATE TABLE "a""b\'c" (a); INSERT INTO "a""b\'c" VALUES (1)',
}


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_kind_of_table_is_copied_and_sound(tmp_path: Path, kind: str, mode: str) -> None:
    path = tmp_path / "odd.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(SCHEMAS[kind])
        connection.execute(f"PRAGMA journal_mode={mode}")
    expected = expected_pages(path)

    snapshot = copy_of(path, tmp_path)

    assert set(differing_bytes(expected, snapshot.path.read_bytes())) <= {1}
    found = verdict_on(snapshot.path)
    assert (found.ok, found.messages) == (True, ("ok",))
    assert found.facts["tables"]


def make_with_python(path: Path, *statements: str) -> None:
    """Run statements where a function and a collation of the application's own are known."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.create_function("of_ours", 1, lambda value: value, deterministic=True)
        connection.create_collation("backwards", lambda a, b: (a < b) - (a > b))
        for statement in statements:
            connection.execute(statement)


UNKNOWN = {
    "function in a generated column": ("CREATE TABLE t (a, b AS (of_ours(a)) STORED)", "INSERT INTO t VALUES (1)"),
    "function in an index": (
        "CREATE TABLE t (a)", "CREATE INDEX i ON t (of_ours(a))", "INSERT INTO t VALUES (1)"
    ),
    "function in a check": ("CREATE TABLE t (a CHECK (of_ours(a) > 0))", "INSERT INTO t VALUES (1)"),
    "collation": (
        "CREATE TABLE t (a TEXT COLLATE backwards UNIQUE)", "INSERT INTO t VALUES ('x'), ('y')"
    ),
}  # fmt: skip


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("kind", UNKNOWN)
def test_what_only_the_application_knows_is_never_called_damage(tmp_path: Path, kind: str, full: bool) -> None:
    """Sound where the check can tell without it, otherwise not to be told; the copy itself is whole in any case."""
    path = tmp_path / "odd.db"
    make_with_python(path, *UNKNOWN[kind])

    snapshot = copy_of(path, tmp_path)

    found = verdict_on(snapshot.path, full=full)
    assert found.ok is not False, found
    assert found.ok is True or "of_ours" in found.messages[0] or "backwards" in found.messages[0]
    assert set(differing_bytes(expected_pages(path), snapshot.path.read_bytes())) <= {1}


@pytest.mark.parametrize("full", [True, False])
def test_an_unknown_module_is_never_called_damage(tmp_path: Path, full: bool) -> None:
    path = tmp_path / "odd.db"
    build_database(path, mib=0.1)
    write_schema(path, "CREATE VIRTUAL TABLE v USING a_module_of_ours(a)", "table")

    assert verdict_on(copy_of(path, tmp_path).path, full=full).ok is not False


def write_schema(path: Path, text: str, kind: str) -> None:
    """Put a line into the schema that this SQLite would not take."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("INSERT INTO sqlite_schema VALUES (?, 'v', 'v', 0, ?)", (kind, text))


def test_a_schema_of_a_newer_sqlite_is_copied_and_checked_without_it(tmp_path: Path) -> None:
    """This library calls the schema malformed, and the data can be checked all the same."""
    path = tmp_path / "newer.db"
    build_database(path, mib=0.1)
    write_schema(path, "CREATE VIEW v AS SELECT something_new(id OVER AND OUT) FROM torrents", "view")
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.DatabaseError, match="malformed"):
        connection.execute("SELECT count(*) FROM torrents")

    snapshot = copy_of(path, tmp_path)

    found = verdict_on(snapshot.path)
    assert found.ok is True
    assert "needs a newer SQLite" in found.messages[0]


def test_damage_under_a_schema_of_a_newer_sqlite_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    build_database(path, mib=0.5)
    write_schema(path, "CREATE VIEW v AS SELECT something_new(id OVER AND OUT) FROM torrents", "view")
    garble(path)

    assert verdict_on(copy_of(path, tmp_path).path).ok is False


def garble(path: Path) -> None:
    """Overwrite some pages with nonsense."""
    with path.open("r+b") as file:
        for page in range(20, 30):
            file.seek(4096 * page)
            file.write(b"\xa5" * 4096)


def test_a_database_without_tables_is_not_called_sound(tmp_path: Path) -> None:
    path = tmp_path / "bare.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=1")

    found = verdict_on(copy_of(path, tmp_path).path)

    assert (found.ok, found.messages) == (None, ("the database has no table",))


def test_empty_tables_are_told(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    build_database(path, mib=0)

    found = verdict_on(copy_of(path, tmp_path).path)

    assert found.ok is True
    assert found.facts["empty_tables"] == ["keys", "torrents", "whitelist"]
