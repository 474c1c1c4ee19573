"""The restore check in a whole run: the dump is loaded into a throw-away server of this host and compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.database_images import image
from support.database_servers import Server
from support.engine import processes_with
from support.manifests import rewrite
from support.mysql_program import CANARY, LEAST, MysqlInstallation, installation_for, least_user
from support.mysql_world import everything_schema, tracker_schema

STRONG = "rows and sums at the dump's own moment"


def locking_user(server: Server, name: str, schema: str) -> None:
    """Make a user who may also hold the tables still."""
    grants = [grant.format(schema=schema) for grant in LEAST[server.vendor]]
    server.user(name, CANARY, *grants, f"LOCK TABLES ON `{schema}`.*")


@pytest.mark.parametrize("old_engine", [False, True])
def test_everything_comes_back(server: Server, tmp_path: Path, *, old_engine: bool):
    schema = f"comes_back_{old_engine}"
    everything_schema(server, schema, only=True, old_engine=old_engine)
    locking_user(server, schema, schema)
    program = installation_for(server, tmp_path / "host", check="full")
    program.dump(server, schema, schema)

    (artifact,) = program.back_up()["artifacts"]

    quick, restore = artifact["checks"]
    assert (quick["check"], quick["ok"]) == ("quick", True)
    assert (restore["check"], restore["ok"]) == ("restore", True), restore
    assert restore["messages"][0].endswith(STRONG)
    assert artifact["engine"]["restore"] == {"compared": STRONG}
    assert artifact["state"] == "verified"
    assert artifact["write_stall_seconds"] > 0
    assert program.left_over() == []
    assert processes_with(str(program.repository), "--datadir") == set()


def test_without_the_right_to_lock_it_is_compared_with_the_dump_alone(server: Server, tmp_path: Path):
    tracker_schema(server, "nolock", rows=100)
    least_user(server, "nolock", "nolock")
    program = installation_for(server, tmp_path / "host", check="full")
    program.dump(server, "nolock", "nolock")
    (artifact,) = program.back_up()["artifacts"]
    restore = artifact["checks"][1]
    assert restore["ok"] is True, restore
    assert "the rows that were counted in the dump only, because" in restore["messages"][0]
    assert "LOCK TABLES" in restore["messages"][0] or "denied" in restore["messages"][0]


def test_a_user_who_may_not_connect_thrice_costs_the_check_and_not_the_dump(mysql: Server, tmp_path: Path):
    tracker_schema(mysql, "twice", rows=10)
    locking_user(mysql, "twice", "twice")
    mysql.sql("ALTER USER twice@'%' WITH MAX_USER_CONNECTIONS 2")
    program = installation_for(mysql, tmp_path / "host", check="full")
    program.dump(mysql, "twice", "twice")
    (artifact,) = program.back_up()["artifacts"]
    assert artifact["state"] == "verified"
    assert artifact["engine"]["rows"]["torrents"] == 10
    restore = artifact["checks"][1]
    assert restore["ok"] is not False
    assert "max_user_connections" in restore["messages"][0], "said, whether the check was given up or is a weaker one"


def test_a_host_without_a_server_says_so_and_is_content_with_the_quick_check(mysql: Server, tmp_path: Path):
    tracker_schema(mysql, "noserver", rows=10)
    locking_user(mysql, "noserver", "noserver")
    clients = tmp_path / "clients"
    clients.mkdir()
    for name in ("mysql", "mysqldump"):
        (clients / name).symlink_to(image("mysql-9.7").bin / name)
    for name in ("zstd", "nice"):
        (clients / name).symlink_to(f"/usr/bin/{name}")
    program = MysqlInstallation(tmp_path / "host", clients, alone=True, check="full")
    program.dump(mysql, "noserver", "noserver")
    (artifact,) = program.back_up()["artifacts"]
    assert artifact["state"] == "verified"
    restore = artifact["checks"][1]
    assert restore["ok"] is None
    assert "not tried: the server runs in no container here, and this host has no mysqld" in restore["messages"][0]
    verified = program.run("verify", "--latest", "--full")
    assert verified.returncode == 0, verified.stderr
    assert "quick ok; 11 rows in 4 tables; restore not tried: the server runs in no container here" in verified.stdout
    assert "there is no weekly restore check: the server runs in no container here" in program.run("doctor").stdout


def test_what_is_stored_is_tried_again_when_its_source_is_gone(server: Server, tmp_path: Path):
    everything_schema(server, "again", only=True, old_engine=False)
    locking_user(server, "again", "again")
    program = installation_for(server, tmp_path / "host", check="full")
    program.dump(server, "again", "again")
    program.back_up()
    server.sql("DROP DATABASE again; DROP USER again")

    done = program.run("verify", "--latest", "--full")

    assert done.returncode == 0, done.stderr
    assert "checksums agree, restore ok; loaded, " in done.stdout
    assert STRONG in done.stdout
    assert program.left_over() == []


def test_what_was_stored_without_a_restore_check_is_compared_with_its_own_rows(mysql: Server, tmp_path: Path):
    tracker_schema(mysql, "later", rows=10)
    locking_user(mysql, "later", "later")
    program = installation_for(mysql, tmp_path / "host", check="quick")
    program.dump(mysql, "later", "later")
    program.back_up()

    said = program.run("verify", "--latest", "--full").stdout

    assert "restore ok; loaded, 11 rows in 4 tables compared with the rows that were counted in the dump only" in said
    assert "because the backup was made without a restore check" in said


def test_what_is_stored_and_is_not_what_it_was_is_damaged(mysql: Server, tmp_path: Path):
    """As if the sums of that time and the dump had parted: the file itself is whole."""
    tracker_schema(mysql, "parted", rows=10)
    locking_user(mysql, "parted", "parted")
    program = installation_for(mysql, tmp_path / "host", check="full")
    program.dump(mysql, "parted", "parted")
    parted = {"torrents": [10, "7"]}
    rewrite(
        program.repository / program.back_up()["id"],
        lambda manifest: manifest["artifacts"][0]["engine"]["trial"]["sums"].update(parted),
    )

    done = program.run("verify", "--latest", "--full")

    assert done.returncode == 5
    assert "restore: restored, table torrents: 10 rows, but not the same ones" in done.stderr


def test_of_itself_it_is_done_once_a_week(mysql: Server, tmp_path: Path):
    tracker_schema(mysql, "weekly", rows=10)
    locking_user(mysql, "weekly", "weekly")
    program = installation_for(mysql, tmp_path / "host")
    program.dump(mysql, "weekly", "weekly")
    checks = [[check["check"] for check in program.back_up()["artifacts"][0]["checks"]] for _ in range(2)]
    assert checks == [["quick", "restore"], ["quick"]]
