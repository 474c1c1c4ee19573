"""A whole run against a real server: what is dumped, counted, stored and restored."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from support.database_servers import Server
from support.mysql_program import installation_for, least_user
from support.mysql_world import everything_schema, tracker_schema

if TYPE_CHECKING:
    from conftest import World


def unpacked(artifact: Path) -> bytes:
    return subprocess.run(["zstd", "-d", "-c", str(artifact)], capture_output=True, check=True).stdout


def test_a_schema_with_everything(server: Server, tmp_path: Path) -> None:
    everything_schema(server, "with_everything", old_engine=False)
    least_user(server, "everyone", "with_everything")
    program = installation_for(server, tmp_path / "host")
    program.dump(server, "with_everything", "everyone")

    manifest = program.back_up()

    (artifact,) = manifest["artifacts"]
    assert (artifact["state"], artifact["method"], artifact["file"]) == ("verified", "dump", "tracker.sql.zst")
    assert artifact["checks"][0]["check"] == "quick"
    assert artifact["path"] == f"schema with_everything on {server.host}:{server.port}"
    engine = artifact["engine"]
    tables = [row[0] for row in server.sql("SHOW FULL TABLES WHERE table_type = 'BASE TABLE'", "with_everything")]
    counted = {
        name: int(server.sql(f"SELECT COUNT(*) FROM `{name.replace('`', '``')}`", "with_everything")[0][0])
        for name in tables
    }
    assert engine["rows"] == counted
    assert engine["objects"] == {
        "table": len(tables), "view": 3, "trigger": 2, "event": 1, "procedure": 1, "function": 1,
    }  # fmt: skip
    assert engine["server"].startswith(server.flavour.rpartition("-")[2])
    assert engine["reach"] == f"host: address {server.host}:{server.port}"
    assert engine["name"].lower() == server.vendor
    text = unpacked(program.repository / manifest["id"] / "tracker.sql.zst")
    assert b"999999" not in text.partition(b"\n")[0]
    assert len(text) == artifact["raw_bytes"]


def test_restored_it_is_a_script_for_another_schema(world: World, tmp_path: Path) -> None:
    world.program.back_up()

    done = world.program.run("restore", "latest", "--to", str(tmp_path / "out"))

    assert done.returncode == 0, done.stderr
    script = tmp_path / "out" / "tracker.sql"
    world.server.sql(f"CREATE DATABASE {world.schema}_again")
    loaded = world.server.load_client(script.read_bytes(), f"{world.schema}_again")
    assert loaded.returncode == 0, loaded.stderr
    assert world.server.sql("SELECT info_hash FROM torrents ORDER BY id", f"{world.schema}_again") == [
        ["one"], ["),("], ["three"]
    ]  # fmt: skip


def test_doctor_says_how_the_server_is_reached(world: World) -> None:
    found = world.program.examined()

    (finding,) = [item for item in found if item["what"].startswith("tracker:")]
    assert finding["level"] == "ok"
    assert f"on the host, address {world.server.host}:{world.server.port}" in finding["what"]


def test_the_tracker_s_own_user_needs_nothing_more(server: Server, tmp_path: Path) -> None:
    """The images give it all rights in its schema and none elsewhere."""
    tracker_schema(server, "own_user")
    server.user("own_user", "own", "ALL PRIVILEGES ON `own_user`.*")
    program = installation_for(server, tmp_path / "host")
    program.dump(server, "own_user", "own_user", "own")

    assert program.back_up()["artifacts"][0]["engine"]["rows"]["torrent_aggregate_metrics"] == 1


def test_over_a_socket(world: World) -> None:
    world.program.dump(world.server, world.schema, world.user, socket=str(world.server.socket))

    assert world.program.back_up()["artifacts"][0]["engine"]["reach"] == f"host: socket {world.server.socket}"


def test_a_row_of_64_mebibytes(mysql: Server, tmp_path: Path) -> None:
    mysql.sql("SET GLOBAL max_allowed_packet = 1073741824")
    mysql.sql("CREATE DATABASE large; USE large; CREATE TABLE t (id INT PRIMARY KEY, b LONGBLOB, c LONGTEXT)")
    mysql.sql(
        "INSERT INTO t VALUES (1, REPEAT('\\\\\\'),(', 13421773), NULL), (2, NULL, REPEAT('),(\\'', 16777216))", "large"
    )
    least_user(mysql, "large", "large")
    program = installation_for(mysql, tmp_path / "host")
    program.dump(mysql, "large", "large")

    artifact = program.back_up()["artifacts"][0]

    assert artifact["engine"]["rows"] == {"t": 2}
    assert artifact["raw_bytes"] > 192 * 1024**2


def test_many_rows(mariadb: Server, tmp_path: Path) -> None:
    """As this client writes them; four million as MySQL's does are in test_large.py, and proven there."""
    tracker_schema(mariadb, "many", rows=400_000)
    least_user(mariadb, "many", "many")
    program = installation_for(mariadb, tmp_path / "host", check="quick")
    program.dump(mariadb, "many", "many")

    assert program.back_up()["artifacts"][0]["engine"]["rows"]["torrents"] == 400_000
