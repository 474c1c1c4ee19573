"""restore --in-place of a schema, as it is used; killed at random instants; refused and undone."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.database_servers import Server
from support.faults import rounds
from support.mysql_program import held
from support.mysql_restore import Backed, backed_up, contents, objects, schemas
from tracker_backup.sources.mysql.checksums import Sum
from tracker_backup.sources.mysql.inventory import differences

IN_PLACE = ("restore", "latest", "--in-place", "--yes", "--source", "tracker")
KILLS = rounds(20, short=3)


def change(server: Server, schema: str) -> None:
    """Change the tracker's tables after the backup."""
    server.sql(
        "DELETE FROM whitelist; INSERT INTO whitelist (info_hash) VALUES ('new'); DELETE FROM torrents WHERE id < 100;"
        " CREATE TABLE newer (id INT PRIMARY KEY); CREATE TRIGGER t BEFORE INSERT ON newer FOR EACH ROW SET NEW.id = 1;"
        " CREATE OR REPLACE VIEW seen AS SELECT COUNT(*) AS n FROM torrents",
        schema,
    )


def kept(backed: Backed) -> list[str]:
    return sorted(name for name in schemas(backed.server) if name.startswith(f"{backed.schema}_"))


@pytest.mark.guarantee(9)
def test_the_schema_is_that_of_the_backup_and_the_old_one_is_kept(plain: Backed) -> None:
    server, schema = plain.server, plain.schema
    wanted = contents(server, schema)
    change(server, schema)
    old = contents(server, schema)

    done = plain.program.run(*IN_PLACE, *plain.as_admin())
    assert done.returncode == 0, done.stderr
    assert contents(server, schema) == wanted
    [name] = kept(plain)
    assert contents(server, name) == old
    assert f"DROP DATABASE `{name}`" in done.stdout
    assert server.sql(f"SELECT n FROM `{name}`.seen") == [[str(old["torrents"].rows)]]
    assert server.sql("SHOW FULL TABLES WHERE Table_type = 'VIEW'", schema) == []

    again = plain.program.run(*IN_PLACE, *plain.as_admin(), "--discard-current")
    assert again.returncode == 0, again.stderr
    assert kept(plain) == [name]
    assert contents(server, schema) == wanted


def test_the_old_one_is_told_of_until_it_is_dropped(plain: Backed) -> None:
    server, schema = plain.server, plain.schema
    for name in (f"{schema}_pre_restore_notes", "other_pre_restore_20260101T000000Z_daily"):
        server.sql(f"CREATE DATABASE IF NOT EXISTS `{name}`")
    server.sql(f"GRANT ALL ON `%`.* TO `{plain.user}`@`%`")
    assert plain.program.run(*IN_PLACE, *plain.as_admin()).returncode == 0
    name = f"{schema}_pre_restore_{plain.manifest['id'].replace('-', '_')}"

    [told] = [each for each in plain.program.examined() if "replaced by a restore in place" in each["what"]]

    assert told["level"] == "warn"
    assert f"kept for less than a day since: schema {name} on " in told["what"]
    statement = f"DROP DATABASE `{name}`"
    assert told["remedy"].endswith(f": {statement}, as its administrator")
    server.sql(statement)
    assert "replaced by a restore in place" not in str(plain.program.examined())


@pytest.mark.guarantee(9)
def test_whoever_is_connected_keeps_it_from_being_replaced(plain: Backed) -> None:
    before = contents(plain.server, plain.schema), schemas(plain.server)
    with held(plain.server, "DO 0", plain.schema):
        done = plain.program.run(*IN_PLACE, *plain.as_admin())
    assert done.returncode == 1
    assert f"(connection of root@localhost) has schema {plain.schema}" in done.stderr
    assert (contents(plain.server, plain.schema), schemas(plain.server)) == before


@pytest.mark.guarantee(9)
def test_a_lock_that_does_not_come_undoes_it(plain: Backed) -> None:
    change(plain.server, plain.schema)
    before = contents(plain.server, plain.schema), objects(plain.server, plain.schema), schemas(plain.server)
    with held(plain.server, f"BEGIN; DO (SELECT COUNT(*) FROM {plain.schema}.torrents)", "mysql"):
        done = plain.program.run(*IN_PLACE, *plain.as_admin())
        assert done.returncode == 1
        assert "ERROR 1205" in done.stderr
    assert (contents(plain.server, plain.schema), schemas(plain.server)) == (before[0], before[2])
    assert differences(before[1], objects(plain.server, plain.schema)) == []
    assert list(Path(plain.program.directory / "state").glob("*restor*")) in (
        [], [plain.program.directory / "state" / ".restoring.lock"]
    )  # fmt: skip


@pytest.mark.guarantee(9)
def test_what_cannot_be_done_changes_nothing(plain: Backed) -> None:
    before = contents(plain.server, plain.schema), schemas(plain.server)
    entry = plain.program.settings["sources"][0]
    plain.program.configure(sources=[{**entry, "port": 1}])
    assert "cannot load into 127.0.0.1:1" in plain.program.run(*IN_PLACE, *plain.as_admin()).stderr
    plain.program.configure(sources=[entry])

    arguments = plain.as_admin()
    Path(arguments[-1]).write_text("wrong\n")
    done = plain.program.run(*IN_PLACE, *arguments)
    assert done.returncode == 1
    assert "1045" in done.stderr

    packed = bytearray(plain.artifact.read_bytes())
    packed[len(packed) // 2] ^= 1
    plain.artifact.write_bytes(packed)
    assert plain.program.run(*IN_PLACE, *plain.as_admin()).returncode == 5
    assert (contents(plain.server, plain.schema), schemas(plain.server)) == before


def state_of(backed: Backed) -> tuple[dict[str, Sum], frozenset[tuple[str, ...]]]:
    return contents(backed.server, backed.schema), objects(backed.server, backed.schema)


@pytest.mark.guarantee(9)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("flavour", "over"),
    [
        ("mysql-9.7", False),
        ("mariadb-10.11", True),
        pytest.param("mariadb-10.11", False, marks=pytest.mark.thorough),
    ],
)
def test_killed_at_any_instant_it_is_the_old_one_or_the_new_one(
    servers: Callable[[str], Server], tmp_path: Path, flavour: str, over: bool, tally: Callable[[str, int], None]
) -> None:
    backed = backed_up(servers(flavour), tmp_path, 4000 + over)
    server = backed.server
    new = state_of(backed)
    server.sql("DELETE FROM `select`; DROP TABLE `empty`; CREATE TABLE newer (id INT PRIMARY KEY); DROP VIEW `view`;"
               " DROP TRIGGER hen_out; INSERT INTO newer VALUES (1)", backed.schema)  # fmt: skip
    old = state_of(backed)
    login = backed.as_admin()
    if over:
        server.sql(
            f"GRANT {'SET_ANY_DEFINER' if server.vendor == 'mysql' else 'SET USER'} ON *.* TO '{backed.user}'@'%'"
        )
        if server.vendor == "mysql":
            server.sql(f"GRANT SYSTEM_USER ON *.* TO '{backed.user}'@'%'")
        login = ()
    others = schemas(server)
    chance = random.Random(f"{server.flavour} {over}")

    began = time.monotonic()
    assert backed.program.run(*IN_PLACE, *login).returncode == 0
    seconds = time.monotonic() - began
    put_old_back(backed, old, others, login)
    for _ in range(KILLS):
        with backed.program.start(*IN_PLACE, *login) as restoring:
            time.sleep(chance.uniform(0.3, 1) * seconds)
            restoring.signal(9)
        done = backed.program.run("list")  # whatever is started of ours finishes or undoes it
        assert done.returncode == 0, done.stderr
        found = state_of(backed)
        which = "old" if found[0] == old[0] else "new"
        wanted = old if which == "old" else new
        assert found[0] == wanted[0]
        assert differences(wanted[1], found[1]) == []
        left = schemas(server) - others
        assert len(left) == (0 if which == "old" or over else 1), left
        if which == "new":
            put_old_back(backed, old, others, login)
    tally("instants killed", KILLS)


def put_old_back(
    backed: Backed, old: tuple[dict[str, Sum], frozenset[tuple[str, ...]]], others: set[str], login: tuple[str, ...]
) -> None:
    """Make the schema what it was before, and drop what is kept."""
    server = backed.server
    server.sql("DELETE FROM `select`; DROP TABLE `empty`; CREATE TABLE newer (id INT PRIMARY KEY); DROP VIEW `view`;"
               " DROP TRIGGER hen_out; INSERT INTO newer VALUES (1)", backed.schema)  # fmt: skip
    for name in schemas(server) - others:
        server.sql(f"DROP DATABASE `{name}`")
    for file in (backed.program.directory / "state").glob("pre-restore-*"):
        file.unlink()
    assert contents(server, backed.schema) == old[0]
