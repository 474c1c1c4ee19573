"""Rows of 64 MiB, and four million rows, dumped and proven while somebody writes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from support.database_servers import Server
from support.mysql_program import CANARY, LEAST, installation_for
from support.mysql_world import COUNTER, tracker_schema

STRONG = {"compared": "rows and sums at the dump's own moment"}


def locking_user(server: Server, name: str) -> None:
    grants = [grant.format(schema=name) for grant in LEAST[server.vendor]]
    server.user(name, CANARY, *grants, f"LOCK TABLES ON `{name}`.*")


@pytest.mark.thorough
@pytest.mark.guarantee(4)
def test_rows_of_64_mib_come_back(server: Server, tmp_path: Path):
    server.sql(
        "CREATE DATABASE heavy; SET GLOBAL max_allowed_packet = 1073741824;"
        " CREATE TABLE heavy.rows64 (id INT PRIMARY KEY, payload LONGBLOB);"
    )
    for number in (1, 2):
        server.sql(f"INSERT INTO heavy.rows64 VALUES ({number}, REPEAT(UNHEX('00FF2700{number:02X}275C0A'), 8388608))")
    locking_user(server, "heavy")
    program = installation_for(server, tmp_path / "host", check="full")
    program.dump(server, "heavy", "heavy")
    (artifact,) = program.back_up()["artifacts"]
    assert [check["ok"] for check in artifact["checks"]] == [True, True], artifact["checks"]
    assert artifact["engine"]["restore"] == STRONG
    assert artifact["raw_bytes"] > 4 * 64 * 1024**2  # as hexadecimal digits
    server.sql("DROP DATABASE heavy")


@pytest.mark.slow
@pytest.mark.guarantee(4, 6)
@pytest.mark.parametrize(
    "rows", [pytest.param(400_000, id="4e5"), pytest.param(4_000_000, id="4e6", marks=pytest.mark.thorough)]
)
def test_many_rows_come_back_while_somebody_writes(mysql: Server, tmp_path: Path, rows: int):
    tracker_schema(mysql, "million", rows=rows)
    locking_user(mysql, "million")
    program = installation_for(mysql, tmp_path / "host", check="full")
    program.dump(mysql, "million", "million")
    done = threading.Event()
    failed: list[BaseException] = []

    def write() -> None:
        try:
            while not done.is_set():
                mysql.sql(
                    "START TRANSACTION;"
                    " UPDATE torrents SET completed = completed + 1 WHERE id = 77;"
                    f" UPDATE torrent_aggregate_metrics SET value = value + 1 WHERE metric_name = '{COUNTER}'; COMMIT",
                    "million",
                )
        except BaseException as error:  # noqa: BLE001 - looked at in the test's own thread
            failed.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        manifest = program.back_up()
    finally:
        done.set()
        writer.join()
    assert failed == []
    (artifact,) = manifest["artifacts"]
    assert [check["ok"] for check in artifact["checks"]] == [True, True], artifact["checks"]
    assert artifact["engine"]["restore"] == STRONG
    assert artifact["engine"]["rows"]["torrents"] == rows
    print(artifact["write_stall_seconds"], artifact["copy_seconds"], artifact["checks"], manifest["seconds"])
