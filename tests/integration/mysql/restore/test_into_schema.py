"""restore --into: a backup in a schema beside the live one; as whom, what it takes, and what is left when it fails."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from support.database_servers import Server, running
from support.mysql_program import CANARY
from support.mysql_restore import ADMIN_PASSWORD, Backed, backed_up, contents, objects, schemas
from support.mysql_world import tracker_schema
from support.program import wait_until
from support.small_disk import fill, small_disk
from tracker_backup.sources.mysql.inventory import differences

Servers = Callable[[str], Server]
NUMBERS = itertools.count(1000)


def small(server: Server, schema: str) -> None:
    tracker_schema(server, schema, rows=1000)


def large(server: Server, schema: str) -> None:
    tracker_schema(server, schema, rows=300_000)


def test_everything_comes_back(backed: Backed) -> None:
    before = contents(backed.server, backed.schema)
    done = backed.into(*backed.as_admin())

    assert done.returncode == 0, done.stderr
    assert contents(backed.server, backed.target) == before
    assert differences(objects(backed.server, backed.schema), objects(backed.server, backed.target)) == []
    of_target = f"EVENT_SCHEMA = '{backed.target}'"
    assert backed.server.sql(f"SELECT STATUS FROM information_schema.EVENTS WHERE {of_target}") == [["DISABLED"]]
    assert "1 event in it will not run" in done.stdout
    assert backed.server.sql(f"SELECT * FROM {backed.target}.a_needs_b ORDER BY id") == [["1", "1"], ["2", "3"]]
    assert contents(backed.server, backed.schema) == before
    assert f"DROP DATABASE `{backed.target}`" in done.stdout
    assert ADMIN_PASSWORD not in done.stdout + done.stderr


def test_the_schema_has_the_defaults_of_the_one_that_was_backed_up(mysql: Server, tmp_path: Path) -> None:
    def latin(server: Server, schema: str) -> None:
        server.sql(f"CREATE DATABASE {schema} CHARACTER SET latin1 COLLATE latin1_german2_ci")
        server.sql("CREATE TABLE one (id INT PRIMARY KEY); INSERT INTO one VALUES (1)", schema)

    backed = backed_up(mysql, tmp_path, next(NUMBERS), latin)
    assert backed.into(*backed.as_admin()).returncode == 0
    [[collation]] = mysql.sql(
        f"SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '{backed.target}'"
    )
    assert collation == "latin1_german2_ci"


def test_the_source_s_own_user_goes_first_where_he_may(plain: Backed) -> None:
    plain.server.sql(f"GRANT ALL ON `copy\\_of\\_%`.* TO '{plain.user}'@'%'")
    done = plain.into()

    assert done.returncode == 0, done.stderr
    assert "loaded as the source's own user" in done.stdout
    assert contents(plain.server, plain.target) == contents(plain.server, plain.schema)


@pytest.mark.slow
def test_sums_are_compared_where_the_backup_has_them(plain: Backed) -> None:
    plain.program.configure(check="full")
    sums = plain.program.back_up()["artifacts"][0]["engine"]["sums"]
    assert sums == {name: each.digest for name, each in contents(plain.server, plain.schema).items()}

    done = plain.into(*plain.as_admin())
    assert done.returncode == 0, done.stderr
    assert "objects, rows and sums of 4 tables" in done.stdout


@pytest.mark.parametrize("vendor", ["mysql", "mariadb"])
def test_a_missing_right_is_named_beforehand(vendor: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    server: Server = request.getfixturevalue(vendor)
    backed = backed_up(server, tmp_path, next(NUMBERS))

    said = backed.refusal()
    assert "GRANT SELECT, INSERT, CREATE, DROP, ALTER, REFERENCES, LOCK TABLES, EVENT" in said
    assert f"ON `{backed.target}`.* TO `{backed.user}`@`%`;" in said
    definer = "SET_ANY_DEFINER" if vendor == "mysql" else "SET USER"
    assert f"GRANT {definer} ON *.* TO `{backed.user}`@`%`;" in said
    assert "--mysql-user root --mysql-password-file FILE" in said


def test_the_binary_log_s_demand_is_named_beforehand(tmp_path: Path) -> None:
    with running("mariadb-10.11", tmp_path / "server", ("--log-bin=log",)) as server:
        backed = backed_up(server, tmp_path, 1)
        server.sql(f"GRANT ALL ON `copy_of_%`.* TO '{backed.user}'@'%'; GRANT SET USER ON *.* TO '{backed.user}'@'%'")
        assert "SET GLOBAL log_bin_trust_function_creators = 1;" in backed.refusal()

        server.sql("SET GLOBAL log_bin_trust_function_creators = 1")
        assert backed.into().returncode == 0


def test_whoever_owns_an_object_and_is_not_there_is_named(mysql_backed: Backed) -> None:
    server = mysql_backed.server
    server.user("builder", CANARY, f"ALL ON `{mysql_backed.schema}`.*")
    server.sql("CREATE DEFINER = 'builder'@'%' VIEW built AS SELECT 1 AS one", mysql_backed.schema)
    server.sql(f"GRANT SELECT ON `{mysql_backed.schema}`.* TO '{mysql_backed.user}'@'%'")
    mysql_backed.program.back_up()
    server.sql("SET @saved = 0; DROP USER IF EXISTS 'nobody'@'%'; RENAME USER 'builder'@'%' TO 'moved'@'%'")

    done = mysql_backed.into(*mysql_backed.as_admin())
    assert done.returncode == 0, done.stderr
    assert "belong to builder@%, whom this server does not have" in done.stderr
    server.sql("DROP USER 'moved'@'%'")


def test_a_schema_that_is_not_empty_is_refused_and_an_empty_one_is_filled(plain: Backed) -> None:
    plain.server.sql(f"CREATE DATABASE {plain.target}; CREATE TABLE {plain.target}.mine (id INT PRIMARY KEY)")
    said = plain.refusal(*plain.as_admin(), code=2)
    assert f"the schema {plain.target} (1 tables, 0 other objects) is there" in said
    assert f"DROP DATABASE `{plain.target}`" in said
    assert plain.server.sql(f"SHOW TABLES FROM {plain.target}") == [["mine"]]

    plain.server.sql(f"DROP TABLE {plain.target}.mine")
    assert plain.into(*plain.as_admin()).returncode == 0
    assert contents(plain.server, plain.target) == contents(plain.server, plain.schema)


def test_the_live_schema_is_no_target(plain: Backed) -> None:
    before = contents(plain.server, plain.schema)
    done = plain.program.run("restore", "latest", "--into", plain.schema, *plain.as_admin())
    assert done.returncode == 2
    assert contents(plain.server, plain.schema) == before
    assert plain.program.run("restore", "latest", "--into", "MySQL").returncode == 2


def test_a_wrong_password_and_a_server_that_is_down(plain: Backed) -> None:
    arguments = plain.as_admin()
    Path(arguments[-1]).write_text("wrong\n")
    said = plain.refusal(*arguments)
    assert "1045" in said
    assert "correct --mysql-user and what is in --mysql-password-file" in said

    entry = plain.program.settings["sources"][0]
    plain.program.configure(sources=[{**entry, "port": 1}])
    said = plain.refusal()
    assert "cannot load into 127.0.0.1:1" in said


def test_a_damaged_artifact_is_found_before_anything_is_made(plain: Backed) -> None:
    packed = bytearray(plain.artifact.read_bytes())
    packed[len(packed) // 2] ^= 1
    plain.artifact.write_bytes(packed)
    plain.refusal(*plain.as_admin(), code=5)


@pytest.mark.slow
def test_a_load_that_is_cut_off_leaves_nothing(mysql: Server, tmp_path: Path) -> None:
    backed = backed_up(mysql, tmp_path, next(NUMBERS), large)
    at_work = f"SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{backed.target}'"
    before = schemas(mysql)
    arguments = ("restore", "latest", "--into", backed.target, *backed.as_admin())
    with backed.program.start(*arguments) as running_restore:
        wait_until(lambda: bool(mysql.sql(at_work)), running_restore.said, running_restore)
        mysql.sql(f"KILL {mysql.sql(at_work)[0][0]}")
        assert running_restore.wait() == 1
    assert "ERROR 2013" in running_restore.said() or "ERROR 2006" in running_restore.said()
    assert schemas(mysql) == before

    with backed.program.start(*arguments) as running_restore:
        wait_until(lambda: bool(mysql.sql(at_work)), running_restore.said, running_restore)
        running_restore.signal(15)
        assert running_restore.wait() == 143
    assert schemas(mysql) == before


@pytest.mark.slow
def test_a_server_that_dies_and_a_disk_that_is_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", mib=300) as disk, running("mariadb-10.11", disk / "server") as server:
        backed = backed_up(server, tmp_path, 1, large)
        at_work = f"SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{backed.target}'"
        with backed.program.start("restore", "latest", "--into", backed.target, *backed.as_admin()) as restoring:
            wait_until(lambda: bool(server.sql(at_work)), restoring.said, restoring)
            server.freeze()  # or all of it may be loaded before the disk is full
            ballast = fill(disk)
            server.thaw()
            assert restoring.wait() == 1, restoring.said()
        ballast.unlink()
        assert "the server's disk is full" in restoring.said()
        assert backed.target not in schemas(server)

        ballast = fill(disk, leave_bytes=20 * 1024**2)
        assert "not enough room on the disk of the server" in backed.refusal(*backed.as_admin())
        ballast.unlink()

        with backed.program.start("restore", "latest", "--into", backed.target, *backed.as_admin()) as restoring:
            wait_until(lambda: bool(server.sql(at_work)), restoring.said, restoring)
            server.kill()
            assert restoring.wait() == 1
        assert f"DROP DATABASE `{backed.target}`" in restoring.said()


@pytest.mark.parametrize(
    ("origin", "destination", "unknown"),
    [
        ("mysql-9.7", "mariadb-10.11", "utf8mb4_0900_ai_ci"),
        ("mariadb-11.8", "mysql-9.7", "utf8mb4_uca1400_ai_ci"),
        ("mysql-9.7", "mariadb-11.8", None),
        ("mariadb-10.11", "mysql-9.7", None),
    ],
)
def test_a_server_of_the_other_kind(
    servers: Servers, tmp_path: Path, origin: str, destination: str, unknown: str | None
) -> None:
    backed = backed_up(servers(origin), tmp_path, next(NUMBERS), small)
    there = Backed(servers(destination), backed.schema, backed.user, backed.program, backed.manifest)
    give_admin(there)
    there.program.dump(there.server, there.schema, there.user)
    there.program.programs = there.server.image.bin
    if unknown is not None:
        said = there.refusal(*there.as_admin())
        assert f"does not know {unknown}" in said
        return
    done = there.into(*there.as_admin())
    assert done.returncode == 0, done.stderr
    assert "objects and rows of 4 tables" in done.stdout
    assert contents(there.server, there.target) == contents(backed.server, backed.schema)


def test_an_error_names_both_servers_where_the_kinds_do_not_fit(servers: Servers, tmp_path: Path) -> None:
    backed = backed_up(servers("mariadb-10.11"), tmp_path, next(NUMBERS))
    there = Backed(servers("mysql-9.7"), backed.schema, backed.user, backed.program, backed.manifest)
    give_admin(there)
    there.program.dump(there.server, there.schema, there.user)
    there.program.programs = there.server.image.bin

    said = there.refusal(*there.as_admin())
    assert "ERROR" in said
    assert "the backup came from MariaDB 10.11" in said
    assert "this server is MySQL 9.7" in said


def give_admin(backed: Backed) -> None:
    server = backed.server
    if not server.sql("SELECT User FROM mysql.user WHERE User = 'admin'"):
        server.user("admin", ADMIN_PASSWORD, "ALL ON *.*")
