"""Which client goes first, which cannot serve, and what a dump must hold."""

from __future__ import annotations

import pytest

from tracker_backup.sources.mysql.check import DumpCheck
from tracker_backup.sources.mysql.clients import Client
from tracker_backup.sources.mysql.compare import absent
from tracker_backup.sources.mysql.dump import dump_options
from tracker_backup.sources.mysql.dumptext import DumpContents
from tracker_backup.sources.mysql.facts import Facts, Identity, Table
from tracker_backup.sources.mysql.fitness import misfit, rank, why_not_first

MYSQL, MARIADB = Identity("MySQL", "9.7.4-2", "b@%"), Identity("MariaDB", "11.8.3-MariaDB", "b@%")


def client(flavour: str, version: str = "11.8.3", *options: str) -> Client:
    return Client("mariadb-dump" if flavour == "MariaDB" else "mysqldump", "/x", flavour, version, frozenset(options))


def facts(identity: Identity = MYSQL, **changes: object) -> Facts:
    values = {
        "identity": identity, "grants": (), "tables": (), "stored": {}, "unreadable": (),
        "generated": (), "vector": (), "fingerprint": "",
    }  # fmt: skip
    return Facts(**{**values, **changes})  # type: ignore[arg-type]


def test_the_server_s_own_flavour_goes_first_and_then_what_is_not_older() -> None:
    clients = [client("MySQL", "9.7.4"), client("MariaDB", "10.11.19"), client("MariaDB", "11.8.9")]

    ordered = sorted(clients, key=lambda each: rank(each, MARIADB))
    assert [each.version for each in ordered] == ["11.8.9", "10.11.19", "9.7.4"]
    assert [why_not_first(each, MARIADB) for each in ordered] == [
        None,
        "the server is 11.8.3-MariaDB, and this client is older",
        "the server is MariaDB, and this is MySQL's client",
    ]


@pytest.mark.parametrize("kind", ["generated", "vector"])
def test_mariadb_s_client_does_not_dump_what_mysql_could_not_load(kind: str) -> None:
    reason = misfit(client("MariaDB"), facts(**{kind: ("t", "u")}))

    assert reason is not None
    assert f"{kind} columns" in reason
    assert reason.endswith("t, u")
    assert misfit(client("MySQL"), facts(**{kind: ("t",)})) is None
    assert misfit(client("MariaDB"), facts(MARIADB, **{kind: ("t",)})) is None


def test_mysql_s_client_does_not_dump_what_only_mariadb_has() -> None:
    odd = (Table("s", "SEQUENCE", "InnoDB", transactional=True, bytes=0),)

    assert "sequence s" in str(misfit(client("MySQL"), facts(MARIADB, tables=odd)))
    assert "1 packages" in str(misfit(client("MySQL"), facts(MARIADB, stored={"package": 1})))
    assert "version" in str(misfit(client("MySQL"), facts(MARIADB)))
    assert misfit(client("MySQL"), facts(Identity("MariaDB", "10.11.19-MariaDB", "b@%"))) is None


def test_options_are_given_where_the_client_has_them() -> None:
    known = dump_options(
        client("MySQL", "9.7.4", "no-tablespaces", "masking-policies", "set-gtid-purged", "column-statistics"),
        "s",
        locking=False,
    )
    probed = {"--no-tablespaces", "--skip-masking-policies", "--set-gtid-purged=OFF", "--column-statistics=0"}

    assert probed <= set(known)
    assert not probed & set(dump_options(client("MariaDB"), "s", locking=False))
    assert known[-2:] == ["--", "s"]


def test_a_transaction_or_a_lock() -> None:
    assert dump_options(client("MySQL"), "s", locking=False)[0] == "--single-transaction"
    assert dump_options(client("MySQL"), "s", locking=True)[0] == "--lock-tables"


def test_what_the_dump_lacks_is_named() -> None:
    tables = (
        Table("a", "BASE TABLE", "InnoDB", transactional=True, bytes=0),
        Table("b", "BASE TABLE", "InnoDB", transactional=True, bytes=0),
        Table("v", "VIEW", "", transactional=True, bytes=0),
    )
    found = facts(tables=tables, stored={"trigger": 3, "event": 1})
    contents = DumpContents(rows={"a": 1}, stored={"trigger": 1, "event": 2})

    assert absent(contents, found) == ["table b", "view v", "2 of 3 triggers"]
    assert absent(DumpContents(rows={"a": 1, "b": 0}, views={"v"}, stored={"trigger": 3, "event": 1}), found) == []


DUMP = b"CREATE TABLE `t` (\n);\nINSERT INTO `t` VALUES (1),(2);\n-- Dump completed on x\n"


@pytest.mark.parametrize(
    ("data", "rows", "ok", "said"),
    [
        (DUMP, {"t": 2}, True, "ok; 2 rows in 1 tables"),
        (DUMP, {"t": 3}, False, "table t: 2 rows instead of 3"),
        (DUMP[:-20], {"t": 2}, False, "the dump ends before its last line"),
        (DUMP, {"t": 2, "u": 1}, False, "table u: 0 rows instead of 1"),
        (b"-- Dump completed\n", {}, None, "the dump has no table"),
    ],
)
def test_what_is_read_back_must_be_what_was_counted(data: bytes, rows: dict[str, int], ok: bool, said: str) -> None:
    check = DumpCheck(rows, {"table": len(rows), "view": 0})
    check.feed(data)

    result = check.result()
    assert (result.ok, result.messages[0]) == (ok, said)
