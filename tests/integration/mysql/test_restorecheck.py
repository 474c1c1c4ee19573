"""What the restore check finds: dumps that are not what they should be, and servers that are none."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support.database_images import image
from support.database_servers import Server, client, running
from support.engine import processes_with
from support.mysql_source import connection
from support.mysql_world import everything_schema
from support.program import wait_until
from tracker_backup.sources.interface import CheckResult
from tracker_backup.sources.mysql.checksums import (
    SESSION,
    by_table,
    columns_statement,
    parse_sum,
    sum_statement,
)
from tracker_backup.sources.mysql.inventory import count_kinds
from tracker_backup.sources.mysql.proof import Evidence, Wanted, gather_evidence
from tracker_backup.sources.mysql.restorecheck import RestoreCheck
from tracker_backup.sources.mysql.trial import Kind
from tracker_backup.system import process

FLAVOUR = "mariadb-10.11"
SCHEMA = "everything"


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "SYSTEM_PATH", f"{image(FLAVOUR).bin}:{process.SYSTEM_PATH}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(FLAVOUR, tmp_path_factory.mktemp("server")) as started:
        everything_schema(started, SCHEMA)
        yield started


@pytest.fixture(scope="module")
def dump(server: Server) -> bytes:
    return dumped(server, SCHEMA)


@pytest.fixture(scope="module")
def evidence(server: Server) -> Evidence:
    asked = connection(server)
    found = gather_evidence(asked, Wanted(Kind("MariaDB", None), SCHEMA, "CHARACTER SET utf8mb4"), {})
    tables = by_table(asked.query(columns_statement(SCHEMA))[0])
    answers = asked.query(SESSION, *(sum_statement(SCHEMA, name, columns) for name, columns in tables.items()))[1:]
    sums = {name: parse_sum(rows) for name, rows in zip(tables, answers, strict=True)}
    return replace(found, sums=sums, rows={name: each.rows for name, each in sums.items()})


def dumped(server: Server, schema: str) -> bytes:
    command = [*client(FLAVOUR).dump, f"--defaults-file={server.option_file()}", "--routines", "--events", "--hex-blob"]
    return subprocess.run([*command, "--single-transaction", schema], capture_output=True, check=True).stdout


def check(evidence: Evidence, dump: bytes, directory: Path) -> CheckResult:
    running_check = RestoreCheck(evidence, directory / "trial", "tests")
    for at in range(0, len(dump), 1000):
        running_check.feed(dump[at : at + 1000])
    result = running_check.result()
    wait_until(lambda: not processes_with(str(directory / "trial")), lambda: "something of the server lives on")
    return result


def test_a_good_dump(evidence: Evidence, dump: bytes, tmp_path: Path):
    result = check(evidence, dump, tmp_path)
    assert result.ok is True, result.messages
    assert "rows and sums at the dump's own moment" in result.messages[0]


@pytest.mark.guarantee(4)
@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        (b"(1,1),\n(2,3)", b"(1,1)", "table egg: 1 rows instead of 2"),
        (b"0x00010203,", b"0x00010204,", "table bytes: 4 rows, but not the same ones"),
        ("Grüße".encode(), "Grüsse".encode(), "table hen: 3 rows, but not the same ones"),
        (b"number * 2", b"number * 3", "routine twice is another"),
        (b"EVENT `nightly`", b"EVENT `daily`", "event nightly is not there"),
        (b"`empty`", b"`vacant`", "table empty is not there"),
        (b"INSERT INTO `audit`", b"INSERT INTO `nothing`", "the dump does not load: ERROR 1100"),
    ],
)
def test_a_dump_that_is_not_the_source(
    evidence: Evidence, dump: bytes, tmp_path: Path, good: bytes, bad: bytes, said: str
):
    assert good in dump
    result = check(evidence, dump.replace(good, bad), tmp_path)
    assert result.ok is False
    assert any(said in message for message in result.messages), result.messages


def test_without_sums_the_rows_of_the_dump_count(evidence: Evidence, dump: bytes, tmp_path: Path):
    weaker = replace(evidence, sums=None, why_not="the lock did not come")
    good = check(weaker, dump, tmp_path)
    assert good.ok is True, good.messages
    assert "counted in the dump only, because the lock did not come" in good.messages[0]
    (tmp_path / "second").mkdir()
    bad = check(replace(weaker, rows={**evidence.rows, "egg": 9}), dump, tmp_path / "second")
    assert bad.ok is False
    assert bad.messages == ("restored, table egg: 2 rows instead of 9",)


def test_without_an_inventory_the_numbers_of_objects_count(evidence: Evidence, dump: bytes, tmp_path: Path):
    counted = count_kinds(evidence.inventory or frozenset())
    assert counted == {"table": 10, "view": 3, "trigger": 2, "procedure": 1, "function": 1, "event": 1}
    stored = replace(evidence, inventory=None, objects=counted)
    good = check(stored, dump, tmp_path)
    assert good.ok is True, good.messages
    (tmp_path / "second").mkdir()
    bad = check(replace(stored, objects={**counted, "trigger": 3}), dump, tmp_path / "second")
    assert bad.ok is False
    assert bad.messages == ("restored, 2 objects of kind trigger instead of 3",)


def test_a_server_that_does_not_start_says_nothing_about_the_dump(evidence: Evidence, dump: bytes, tmp_path: Path):
    broken = replace(evidence, kind=Kind("MariaDB", None, ("--no-such-option",)))
    result = check(broken, dump, tmp_path)
    assert result.ok is None
    assert "no-such-option" in result.messages[0]


def test_a_schema_that_needs_another_one_says_nothing_about_the_dump(server: Server, tmp_path: Path):
    server.sql("CREATE DATABASE other; CREATE TABLE other.t (id INT)")
    server.sql(
        "CREATE DATABASE two; USE two; CREATE TABLE mine (id INT); CREATE VIEW both_of AS SELECT o.id FROM other.t o"
    )
    found = gather_evidence(connection(server), Wanted(Kind("MariaDB", None), "two", "CHARACTER SET utf8mb4"), {})
    result = check(found, dumped(server, "two"), tmp_path)
    assert result.ok is None
    assert "needs another schema, which a throw-away server does not have: ERROR 1146" in result.messages[0]


def test_tables_from_before_innodb_was_strict_and_tables_of_others_rows(server: Server, tmp_path: Path):
    server.sql("CREATE DATABASE old; USE old; SET innodb_strict_mode = OFF; CREATE TABLE t (id INT) ROW_FORMAT=FIXED")
    server.sql("CREATE TABLE part (id INT) ENGINE=MyISAM; INSERT INTO part VALUES (1), (2)", "old")
    server.sql("CREATE TABLE parts (id INT) ENGINE=MERGE UNION=(part)", "old")
    wanted = Wanted(Kind("MariaDB", None), "old", "CHARACTER SET utf8mb4")
    found = gather_evidence(connection(server), wanted, {"t": 0, "part": 2, "parts": 0})
    result = check(found, dumped(server, "old"), tmp_path)
    assert result.ok is True, result.messages


def test_an_event_whose_time_has_passed_is_not_missed(server: Server, tmp_path: Path):
    server.sql("CREATE DATABASE past; CREATE TABLE past.t (id INT)")
    server.sql("CREATE EVENT once ON SCHEDULE AT NOW() + INTERVAL 1 SECOND DO SELECT 1", "past")
    found = gather_evidence(connection(server), Wanted(Kind("MariaDB", None), "past", "CHARACTER SET utf8mb4"), {})
    assert [each[1] for each in found.inventory or () if each[0] == "event"] == ["once"]  # nothing runs it, or drops it
    passed = "SELECT MAX(EXECUTE_AT) < NOW() FROM information_schema.EVENTS WHERE EVENT_SCHEMA = 'past'"
    wait_until(lambda: server.sql(passed) == [["1"]], lambda: "the event is still to come")
    result = check(found, dumped(server, "past"), tmp_path)
    assert result.ok is True, result.messages


@pytest.mark.guarantee(16)
def test_a_server_that_stands_still_is_given_up_in_time(evidence: Evidence, dump: bytes, tmp_path: Path):
    running_check = RestoreCheck(evidence, tmp_path / "trial", "tests", deadline=time.monotonic() + 30)
    pid = int((tmp_path / "trial" / "pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    for _ in range(300):
        running_check.feed(dump)
    result = running_check.result()
    assert result.ok is None
    assert "the run's time (max_run_seconds) was over" in result.messages[0]
    wait_until(lambda: not processes_with(str(tmp_path / "trial")), lambda: "something of the server lives on")


def test_a_server_that_dies_says_nothing_about_the_dump(evidence: Evidence, dump: bytes, tmp_path: Path):
    running_check = RestoreCheck(evidence, tmp_path / "trial", "tests")
    running_check.feed(dump[:1000])
    pid = int((tmp_path / "trial" / "pid").read_text())
    subprocess.run(["kill", "-9", str(pid)], check=True)
    for _ in range(200):
        running_check.feed(dump[1000:] * 10)
    result = running_check.result()
    assert result.ok is None
    assert "did not survive it" in result.messages[0]


def test_an_abandoned_check_leaves_nothing(evidence: Evidence, dump: bytes, tmp_path: Path):
    running_check = RestoreCheck(evidence, tmp_path / "trial", "tests")
    running_check.feed(dump[:1000])
    running_check.abandon()
    running_check.abandon()
    wait_until(lambda: not processes_with(str(tmp_path / "trial")), lambda: "something of the server lives on")
