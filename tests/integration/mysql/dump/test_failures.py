"""What can go wrong, each with its message, nothing published and nothing left behind."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.mysql_program import CANARY, MysqlInstallation, held, wait_for_the_lock
from support.program import Running, wait_until
from support.small_disk import fill, small_disk

if TYPE_CHECKING:
    from conftest import World


def ended(world: World, running: Running) -> str:
    """Wait for the end of a run that must fail, and return what it said."""
    assert running.wait() == 1, running.said()
    assert world.program.manifests() == []
    assert world.program.left_over() == []
    assert CANARY not in running.said()
    return running.said()


def sessions(world: World) -> list[list[str]]:
    return [row for row in world.server.sql("SHOW PROCESSLIST") if row[1] == world.user]


def test_wrong_password(world: World) -> None:
    world.program.dump(world.server, world.schema, world.user, password="wrong-password")

    said = world.program.refusal()
    assert "Access denied for user" in said
    assert "correct what the stack or password_file says" in said
    assert "wrong-password" not in said


def test_no_such_schema(world: World) -> None:
    world.program.dump(world.server, "elsewhere", world.user)

    assert "there is no schema elsewhere that the user" in world.program.refusal()


@pytest.mark.parametrize("missing", ["SELECT", "SHOW VIEW", "TRIGGER", "EVENT"])
def test_a_missing_right_is_named_with_the_statement_to_run(mysql_world: World, missing: str) -> None:
    account = f"'{mysql_world.user}'@'%'"
    mysql_world.server.sql(f"REVOKE {missing} ON `{mysql_world.schema}`.* FROM {account}")

    said = mysql_world.program.refusal()
    statement = f"GRANT {missing} ON `{mysql_world.schema}`.* TO `{mysql_world.user}`@`%`;"
    assert "may not see all of it" in said
    assert statement in said
    mysql_world.server.sql(statement)
    mysql_world.program.back_up()


def test_the_statement_for_routines_is_enough_too(world: World) -> None:
    right = "SHOW_ROUTINE ON *.*" if world.server.vendor == "mysql" else "SELECT ON `mysql`.`proc`"
    world.server.sql(f"REVOKE {right} FROM '{world.user}'@'%'")

    said = world.program.refusal()
    statement = f"GRANT {right} TO `{world.user}`@`%`;"
    assert statement in said
    world.server.sql(statement)
    world.program.back_up()


def test_server_down(world: World) -> None:
    world.program.dump(world.server, world.schema, world.user, port=1)

    said = world.program.refusal()
    assert "127.0.0.1:1" in said
    assert "the server does not run" in said


def test_no_client(mysql_world: World, tmp_path: Path) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("zstd", "nice"):
        (bare / name).symlink_to(f"/usr/bin/{name}")
    program = MysqlInstallation(tmp_path / "bare", bare, alone=True)
    program.dump(mysql_world.server, mysql_world.schema, mysql_world.user)

    said = program.refusal()
    assert "there is no MySQL or MariaDB client on this host" in said
    assert "apt-get install" in said


@pytest.mark.guarantee(1)
def test_the_server_is_killed_in_the_midst_of_a_dump(world: World) -> None:
    with held(world.server, "LOCK TABLES zzz WRITE", world.schema), world.program.start("--now") as running:
        wait_for_the_lock(world.server, running.said)
        world.server.kill()
        said = ended(world, running)
    world.server.restart()
    assert "zzz" in said or "Lost connection" in said


@pytest.mark.guarantee(1)
def test_the_connection_is_cut(world: World) -> None:
    with held(world.server, "LOCK TABLES zzz WRITE", world.schema), world.program.start("--now") as running:
        wait_for_the_lock(world.server, running.said)
        (session,) = sessions(world)
        world.server.sql(f"KILL {session[0]}")
        said = ended(world, running)
    assert "exited with" in said


@pytest.mark.guarantee(16)
def test_a_server_that_says_nothing_more_is_not_waited_for(mysql_world: World) -> None:
    """As when the machine or the container behind an address has gone without a word."""
    mysql_world.program.configure(mysql_max_wait_seconds=2)
    server = mysql_world.server
    with held(server, "LOCK TABLES zzz WRITE", mysql_world.schema), mysql_world.program.start("--now") as running:
        wait_for_the_lock(server, running.said)
        server.freeze()
        try:
            said = ended(mysql_world, running)
        finally:
            server.thaw()
    assert "the server went away during the dump" in said
    assert "no answer within" in said


def test_a_lock_that_does_not_come(world: World) -> None:
    world.program.configure(mysql_max_wait_seconds=1)
    with held(world.server, "LOCK TABLES zzz WRITE", world.schema):
        said = world.program.refusal()

    assert "the dump stood still for" in said
    assert "the server says: Waiting for table metadata lock" in said
    assert "mysql_max_wait_seconds" in said


def test_a_lock_that_comes_is_waited_for(world: World) -> None:
    lock = held(world.server, "LOCK TABLES zzz WRITE", world.schema)
    with lock as release, world.program.start("--now") as running:
        wait_for_the_lock(world.server, running.said)
        release()
        assert running.wait() == 0, running.said()
    assert world.program.manifests()[0]["state"] == "verified"


@pytest.mark.guarantee(16)
def test_a_run_that_is_ended_leaves_no_session_behind(world: World) -> None:
    with held(world.server, "LOCK TABLES zzz WRITE", world.schema), world.program.start("--now") as running:
        wait_for_the_lock(world.server, running.said)
        running.signal(signal.SIGTERM)
        assert running.wait() == 143, running.said()
        assert world.program.left_over() == []
    wait_until(lambda: sessions(world) == [], lambda: str(sessions(world)))


@pytest.fixture
def small(mysql_world: World, tmp_path: Path) -> Iterator[Path]:
    """Let the repository lie on a small disk."""
    with small_disk(tmp_path / "small", mib=80) as disk:
        mysql_world.program.repository = disk / "repository"
        mysql_world.program.configure(repository=str(mysql_world.program.repository))
        assert mysql_world.program.run("init").returncode == 0
        yield disk


def test_no_room_is_told_before_the_dump(mysql_world: World, small: Path) -> None:
    filler = fill(small, leave_bytes=60 * 1024**2)

    assert "for the artifact of tracker" in mysql_world.program.refusal()
    filler.unlink()
    mysql_world.program.back_up()


def test_a_disk_that_fills_up_in_the_midst_of_a_dump(mysql_world: World, small: Path) -> None:
    noise = "SELECT 2, CONCAT(HEX(RANDOM_BYTES(1000)), HEX(RANDOM_BYTES(1000))) FROM information_schema.columns"
    wider = "ALTER TABLE zzz ADD t TEXT, MODIFY id INT, DROP PRIMARY KEY"
    mysql_world.server.sql(f"{wider}; INSERT INTO zzz {noise} LIMIT 500", mysql_world.schema)
    lock = held(mysql_world.server, "LOCK TABLES zzz WRITE", mysql_world.schema)
    with lock as release, mysql_world.program.start("--now") as running:
        wait_for_the_lock(mysql_world.server, running.said)
        filler = fill(small)
        release()
        said = ended(mysql_world, running)
    assert "is filling up" in said
    filler.unlink()
    mysql_world.program.back_up()
