"""The servers and clients that the tests of MySQL and MariaDB run with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.database_servers import ALL, client, running
from support.program import ROOT, is_running, wait_until


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


HOLD = """
import sys, time
from pathlib import Path
from support.database_servers import running
with running("mariadb-10.11", Path(sys.argv[1])) as server:
    print(server.pid, flush=True)
    time.sleep(3600)
"""


def test_a_server_dies_with_the_tests_that_are_killed(tmp_path: Path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT / "scripts")])}
    command = [sys.executable, "-c", HOLD, str(tmp_path / "server")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as holder:
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())
        assert is_running(pid)
        holder.kill()
    wait_until(lambda: not is_running(pid), lambda: f"{pid} lives on")


@pytest.mark.parametrize("flavour", ALL)
def test_the_clients_of_each_flavour_run_on_this_machine(flavour: str):
    found = client(flavour)
    assert Path(found.dump[0]).parent == found.directory == Path(found.load[0]).parent
    assert Path(found.dump[0]).name == ("mysqldump" if flavour.startswith("mysql") else "mariadb-dump")
