"""What happens to the schema during a dump, and tables that a transaction does not hold still."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from support.mysql_program import held, wait_for_the_lock
from support.mysql_world import NOT_TRANSACTIONAL

if TYPE_CHECKING:
    from conftest import World

# Some are errors to a dump under way, some are not, and those are the dangerous ones.
CHANGES = [
    "ALTER TABLE torrents ADD COLUMN extra INT",
    "ALTER TABLE torrents DROP COLUMN info_hash",
    "ALTER TABLE torrents MODIFY info_hash VARCHAR(60) NOT NULL",
    "ALTER TABLE torrents ADD INDEX (info_hash)",
    "CREATE TABLE another (id INT PRIMARY KEY)",
    "DROP TABLE torrents",
    "RENAME TABLE torrents TO torrents_before",
    "CREATE VIEW seen AS SELECT id FROM torrents",
    "CREATE TRIGGER t BEFORE INSERT ON torrents FOR EACH ROW SET NEW.info_hash = 'x'",
]
# Each change on one flavour, in turn; on the other one by `make test-all`.
BEHIND = [
    pytest.param(flavour, change, marks=[pytest.mark.slow] if (place + number) % 2 else [])
    for number, flavour in enumerate(("mysql", "mariadb"))
    for place, change in enumerate(CHANGES)
]


@pytest.mark.parametrize(("server", "change"), BEHIND, indirect=["server"])
def test_a_schema_that_changes_behind_the_dump_is_dumped_again(world: World, change: str) -> None:
    """The dump waits at its last table, and what it has dumped by then changes: no error tells it."""
    expect_a_second_dump(world, change, waiting_at="zzz")


@pytest.mark.parametrize("change", [*CHANGES, "TRUNCATE TABLE torrents"])
def test_a_schema_that_changes_before_the_dump_is_dumped_again(mysql_world: World, change: str) -> None:
    """The dump waits at its first table, and what it is going to dump changes: most clients fail then."""
    mysql_world.server.sql("CREATE TABLE aaa (id INT PRIMARY KEY)", mysql_world.schema)
    expect_a_second_dump(mysql_world, change, waiting_at="aaa")


def expect_a_second_dump(world: World, change: str, waiting_at: str) -> None:
    lock = held(world.server, f"LOCK TABLES {waiting_at} WRITE", world.schema)
    with lock as release, world.program.start("--now") as running:
        wait_for_the_lock(world.server, running.said)
        world.server.sql(change, world.schema)
        release()
        assert running.wait() == 0, running.said()
    assert "the schema changed during the dump: it is dumped again" in running.said()
    (artifact,) = world.program.manifests()[0]["artifacts"]
    assert (artifact["state"], artifact["engine"]["repeats"]) == ("verified", 1)
    tables = [row[0] for row in world.server.sql("SHOW FULL TABLES WHERE table_type = 'BASE TABLE'", world.schema)]
    assert sorted(artifact["engine"]["rows"]) == sorted(tables)


@pytest.mark.guarantee(6, 16)
def test_a_schema_that_never_rests_is_given_up(mysql_world: World) -> None:
    with mysql_world.program.start("--now") as running:
        for number in itertools.count():
            mysql_world.server.sql(f"ALTER TABLE torrents COMMENT = '{number}'", mysql_world.schema)
            if not running.alive():
                break
        assert running.wait() == 1, running.said()
    assert "its structure changed during each of 3 dumps" in running.said()
    assert mysql_world.program.manifests() == []


def test_tables_without_transactions_are_dumped_under_a_lock(world: World) -> None:
    world.server.sql(NOT_TRANSACTIONAL, world.schema)
    world.server.sql(f"GRANT LOCK TABLES ON `{world.schema}`.* TO '{world.user}'@'%'")

    (artifact,) = world.program.back_up()["artifacts"]

    assert artifact["engine"]["locked"] is True
    assert artifact["engine"]["rows"]["old"] == 2
    assert artifact["write_stall_seconds"] == artifact["copy_seconds"]


def test_the_lock_needs_a_right_of_its_own(world: World) -> None:
    world.server.sql(NOT_TRANSACTIONAL, world.schema)

    assert f"GRANT LOCK TABLES ON `{world.schema}`.* TO `{world.user}`@`%`;" in world.program.refusal()


def test_tables_without_transactions_are_refused_by_name(world: World) -> None:
    world.server.sql(NOT_TRANSACTIONAL, world.schema)
    world.program.configure(mysql_non_transactional="refuse")

    said = world.program.refusal()
    assert "a transaction does not hold these tables still: old (MyISAM)" in said
    assert "ENGINE=InnoDB" in said
