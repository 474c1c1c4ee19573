"""The servers and clients that the tests of MySQL and MariaDB run with."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.database_servers import ALL, client, running


@pytest.mark.parametrize("flavour", ALL)
def test_a_server_of_each_flavour_starts_dies_and_comes_back(flavour: str, tmp_path: Path):
    with running(flavour, tmp_path / "server") as server:
        [[version]] = server.sql("SELECT version()")
        assert version.startswith(flavour.rsplit("-", 1)[1])
        server.sql("CREATE DATABASE kept; CREATE TABLE kept.t (a INT PRIMARY KEY); INSERT INTO kept.t VALUES (7)")
        server.user("tracker", "canary", "SELECT ON kept.*")
        server.kill()
        assert server.load_client(b"SELECT 1").returncode != 0
        server.restart()
        assert server.sql("SELECT a FROM kept.t") == [["7"]]
        pid = server.pid
    assert not Path(f"/proc/{pid}").exists()
    assert not server.socket.parent.exists()


@pytest.mark.parametrize("flavour", ALL)
def test_the_clients_of_each_flavour_run_on_this_machine(flavour: str):
    found = client(flavour)
    assert Path(found.dump[0]).parent == found.directory == Path(found.load[0]).parent
    assert Path(found.dump[0]).name == ("mysqldump" if flavour.startswith("mysql") else "mariadb-dump")
