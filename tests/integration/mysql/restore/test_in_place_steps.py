"""The replacement of a schema, step by step, and undone from wherever it was."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from support.database_servers import Server
from support.mysql_restore import ADMIN, Backed, backed_up, contents, objects, schemas
from support.mysql_source import clients
from tracker_backup.config.load import load_config
from tracker_backup.errors import RestoreError
from tracker_backup.inplace.mysql import MysqlReplacement
from tracker_backup.inplace.site import Site
from tracker_backup.report.reporter import SilentReporter
from tracker_backup.repository.store import Repository
from tracker_backup.sources.mysql import reach
from tracker_backup.sources.mysql.inventory import differences

NUMBERS = itertools.count(3000)


@pytest.fixture
def replace(monkeypatch: pytest.MonkeyPatch) -> Callable[..., MysqlReplacement]:
    """Return what makes the replacement of a backup; the server's own clients are the host's."""

    def make(backed: Backed, *, admin: bool = True, state: object = None, discard: bool = False) -> MysqlReplacement:
        monkeypatch.setattr(reach, "on_the_host", lambda: (clients(backed.server.flavour),))
        config = load_config(backed.program.config_directory / "default.yml")
        config.state_directory.mkdir(exist_ok=True)
        backup = Repository(backed.program.repository).find("latest")
        login = backed.as_admin()
        site = Site(
            backup,
            SilentReporter(),
            config,
            discard_current=discard,
            mysql_user=ADMIN if admin else None,
            mysql_password_file=Path(login[-1]) if admin else None,
        )
        assert backup.manifest is not None
        return MysqlReplacement(site, "tracker", backup.manifest.artifacts[0], state)

    return make


def change(backed: Backed) -> None:
    """Change rows, tables and objects after the backup."""
    backed.server.sql(
        "DELETE FROM `select`; INSERT INTO `select` VALUES (77, 'new', 7); CREATE TABLE newer (id INT PRIMARY KEY);"
        " INSERT INTO newer VALUES (1); DROP TABLE `empty`; DROP TRIGGER hen_out; DROP VIEW `view`;"
        " CREATE VIEW other AS SELECT 1 AS one; CREATE VIEW `empty` AS SELECT 2 AS two; DROP PROCEDURE add_hen;"
        " DROP EVENT nightly;"
        " CREATE EVENT hourly ON SCHEDULE EVERY 1 HOUR STARTS '2037-01-01 00:00:00' DO SELECT 1",
        backed.schema,
    )


def test_a_swap(backed: Backed, replace: Callable[..., MysqlReplacement]) -> None:
    server, schema = backed.server, backed.schema
    wanted = contents(server, schema), objects(server, schema)
    change(backed)
    old = contents(server, schema), objects(server, schema)
    others = schemas(server)

    replacement = replace(backed)
    said = replacement.describe()
    assert "exchanged by one RENAME TABLE" in said.details[0]
    replacement.prepare()
    assert (contents(server, schema), objects(server, schema)) == old
    assert list(replacement.openers()) == []
    replacement.swap()
    assert contents(server, schema) == wanted[0]
    assert differences(wanted[1], objects(server, schema)) == []
    replacement.finish()

    kept = replacement.state()["old"]
    assert schemas(server) == others | {kept}
    assert kept in said.keeps
    assert contents(server, kept) == old[0]
    assert differences(old[1], objects(server, kept)) == []
    assert server.sql(f"SELECT STATUS FROM information_schema.EVENTS WHERE EVENT_SCHEMA = '{kept}'") == [["DISABLED"]]
    assert server.sql(f"SELECT STATUS FROM information_schema.EVENTS WHERE EVENT_SCHEMA = '{schema}'") == [["ENABLED"]]
    # Foreign keys went with their tables, in either schema.
    assert b"1451" in server.load_client(b"DELETE FROM hen WHERE id = 1", schema).stderr
    assert list(Path(backed.program.directory / "state").glob("pre-restore*")) == []
    server.sql(f"DROP DATABASE `{kept}`")
    assert contents(server, schema) == wanted[0]


@pytest.mark.guarantee(9)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("flavour", "cut"),
    [
        ("mysql-9.7", "save"),
        ("mysql-9.7", "exchange"),
        ("mysql-9.7", "objects"),
        ("mariadb-10.11", "objects"),
        ("mariadb-10.11", "none"),
    ],
)
def test_whatever_a_swap_has_done_can_be_undone(
    servers: Callable[[str], Server],
    tmp_path: Path,
    replace: Callable[..., MysqlReplacement],
    flavour: str,
    cut: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backed = backed_up(servers(flavour), tmp_path, next(NUMBERS))
    server, schema = backed.server, backed.schema
    change(backed)
    old = contents(server, schema), objects(server, schema), schemas(server)
    replacement = replace(backed)
    replacement.describe()
    replacement.prepare()

    def die(*_: object, **__: object) -> None:
        raise RestoreError("cut off here")

    names = {"save": "save_objects", "exchange": "exchange", "objects": "load_objects", "none": "no such name"}
    with monkeypatch.context() as patched:
        patched.setattr(f"tracker_backup.inplace.mysql.{names[cut]}", die, raising=False)
        if cut == "none":
            replacement.swap()
        else:
            with pytest.raises(RestoreError, match="cut off here"):
                replacement.swap()
    successor = replace(backed, state=replacement.state())
    successor.undo()
    successor.undo()

    assert (contents(server, schema), schemas(server)) == (old[0], old[2])
    assert differences(old[1], objects(server, schema)) == []
    assert list(Path(backed.program.directory / "state").glob("*pre-restore*")) == []


def test_what_was_only_prepared_is_discarded(backed: Backed, replace: Callable[..., MysqlReplacement]) -> None:
    before = contents(backed.server, backed.schema), schemas(backed.server)
    replacement = replace(backed)
    first = replacement.state()
    replacement.describe()
    replacement.prepare()
    replace(backed, state=first).discard()
    replacement.discard()
    assert (contents(backed.server, backed.schema), schemas(backed.server)) == before


def test_a_user_without_other_schemas_dumps_first_and_loads_over(
    backed: Backed, replace: Callable[..., MysqlReplacement]
) -> None:
    server, schema = backed.server, backed.schema
    server.sql(f"GRANT {'SET_ANY_DEFINER' if server.vendor == 'mysql' else 'SET USER'} ON *.* TO '{backed.user}'@'%'")
    if server.vendor == "mysql":
        server.sql(f"GRANT SYSTEM_USER ON *.* TO '{backed.user}'@'%'")  # to act for root, who is one
    wanted = contents(server, schema), objects(server, schema)
    change(backed)
    old = contents(server, schema), objects(server, schema), schemas(server)

    replacement = replace(backed, admin=False)
    said = replacement.describe()
    assert "loaded over it while its services stand still, since the user may not do the swap" in said.details[0]
    replacement.prepare()
    replacement.swap()
    replacement.finish()
    assert (contents(server, schema), schemas(server)) == (wanted[0], old[2])
    assert differences(wanted[1], objects(server, schema)) == []
    [safety] = replacement.kept()
    assert Path(safety).stat().st_mode & 0o777 == 0o600

    replace(backed, admin=False, state=replacement.state()).undo()
    assert contents(server, schema) == old[0]
    assert differences(old[1], objects(server, schema)) == []
    assert not Path(safety).exists()


def test_an_empty_schema_is_filled_and_one_that_is_not_there_is_made(
    backed: Backed, replace: Callable[..., MysqlReplacement]
) -> None:
    server, schema = backed.server, backed.schema
    wanted = contents(server, schema), objects(server, schema)
    for empty in (f"DROP DATABASE `{schema}`; CREATE DATABASE `{schema}`", f"DROP DATABASE `{schema}`"):
        server.sql(empty)
        others = schemas(server)
        replacement = replace(backed)
        assert replacement.describe().now is None
        replacement.prepare()
        replacement.swap()
        assert contents(server, schema) == wanted[0]
        assert differences(wanted[1], objects(server, schema)) == []
        replace(backed, state=replacement.state()).undo()
        assert schemas(server) == others
        assert schema not in others or contents(server, schema) == {}


@pytest.mark.guarantee(9)
def test_half_a_rename_of_a_server_that_does_not_take_it_whole_is_undone(
    mysql_backed: Backed, replace: Callable[..., MysqlReplacement]
) -> None:
    server, schema = mysql_backed.server, mysql_backed.schema
    change(mysql_backed)
    old = contents(server, schema), schemas(server)
    replacement = replace(mysql_backed)
    replacement.describe()
    replacement.prepare()
    plan = replacement.state()
    server.sql(f"CREATE DATABASE `{plan['old']}`; DROP TRIGGER `{schema}`.hen_in; DROP TRIGGER `{plan['new']}`.hen_in")
    server.sql(f"DROP TRIGGER `{plan['new']}`.hen_out; DROP VIEW `{schema}`.`empty`")
    moved = [(schema, "hen", plan["old"]), (schema, "bytes", plan["old"]), (schema, "select", plan["old"]),
             (plan["new"], "bytes", schema), (plan["new"], "empty", schema)]  # fmt: skip
    server.sql("; ".join(f"RENAME TABLE `{a}`.`{table}` TO `{b}`.`{table}`" for a, table, b in moved))

    replace(mysql_backed, state=plan).undo()
    assert (contents(server, schema), schemas(server)) == old


@pytest.mark.parametrize("discard", [False, True], ids=["kept", "discarded"])
def test_a_server_without_room_beside_it_is_loaded_over(
    plain: Backed, replace: Callable[..., MysqlReplacement], monkeypatch: pytest.MonkeyPatch, discard: bool
) -> None:
    wanted = contents(plain.server, plain.schema)
    plain.server.sql("DELETE FROM torrents", plain.schema)
    monkeypatch.setattr("tracker_backup.inplace.mysqlplan.room_needed", lambda *_: 1000)
    monkeypatch.setattr("tracker_backup.inplace.mysqlplan.free_on_server", lambda *_: 999)
    replacement = replace(plain, discard=discard)
    said = replacement.describe()
    assert "1000 B are needed on the server's disk, and 999 B are free" in said.details[0]
    assert replacement.irreversible is discard
    replacement.prepare()
    replacement.swap()
    if discard:
        replacement.swap()  # as after a death: what has begun is carried on
    replacement.finish()
    assert contents(plain.server, plain.schema) == wanted
    assert len(replacement.kept()) == (0 if discard else 1)

    monkeypatch.setattr("tracker_backup.inplace.mysqlplan.room_needed", lambda *_: 10**12)
    with pytest.raises(RestoreError, match="not enough room on the disk of the server"):
        replace(plain).describe()


def test_a_table_of_another_schema_that_refers_to_it_would_go_with_the_old_one(
    plain: Backed, replace: Callable[..., MysqlReplacement]
) -> None:
    other = f"other_{plain.schema}"
    plain.server.sql(
        f"CREATE DATABASE {other}; CREATE TABLE {other}.child (id INT PRIMARY KEY, torrent INT,"
        f" FOREIGN KEY (torrent) REFERENCES `{plain.schema}`.torrents (id))"
    )
    replacement = replace(plain)
    assert f"{other}.child of another schema refers to it" in replacement.describe().details[0]
    wanted = contents(plain.server, plain.schema)
    plain.server.sql("DELETE FROM whitelist; DELETE FROM torrents", plain.schema)
    replacement.prepare()
    replacement.swap()
    assert contents(plain.server, plain.schema) == wanted
    plain.server.sql(f"DROP DATABASE {other}")
