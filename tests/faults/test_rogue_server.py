"""A server that is none: named by a configuration that a container can write to, it answers root's own client."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.database_servers import client, running
from support.program import Installation
from support.rogue_mysql import RogueServer
from support.with_programs import __file__ as with_programs
from tracker_backup.repository.store import Repository

pytestmark = pytest.mark.guarantee(14, 18)

FLAVOURS = {"mysql-9.7": "caching_sha2_password", "mariadb-11.8": "mysql_native_password"}


@pytest.mark.guarantee(7)
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_server_that_asks_for_a_file_of_the_host_gets_none(
    tmp_path: Path, flavour: str, tally: Callable[[str, int], None]
) -> None:
    secret = tmp_path / "shadow"
    secret.write_text("root:$y$canary:\n")
    host = Installation(tmp_path / "host")
    password = host.directory / "password"
    password.write_text("secret\n")
    password.chmod(0o600)

    with RogueServer(secret, plugin=FLAVOURS[flavour]) as server:
        target = {"host": "127.0.0.1", "port": server.port, "schema": "tracker", "user": "tracker"}
        source = {"name": "tracker", "type": "mysql", "password_file": str(password), "reach": "host", **target}
        host.configure(sources=[source])
        Repository(host.repository).init()
        command = host.command("--now")
        command[command.index("-I") + 1 : command.index("--now")] = [with_programs, str(client(flavour).directory)]
        done = subprocess.run(command, env=host.environment(), capture_output=True, text=True, check=False)

    assert server.asked, done.stderr
    assert server.stolen == b""
    assert done.returncode == 1
    assert "canary" not in done.stdout + done.stderr + host.log.read_text()
    assert host.manifests() == []
    tally("inputs tried", server.asked)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_client_that_loads_as_we_do_runs_nothing_that_stands_in_a_dump(tmp_path: Path, flavour: str) -> None:
    """As a server could put it there, by a version with a line end in it; MariaDB's client runs it by itself."""
    from tracker_backup.sources.mysql.load import _OPTIONS

    dump = b"CREATE TABLE one (id INT);\n\\! touch %s\nsystem touch %s\n"
    with running(flavour, tmp_path / "server") as server:
        server.sql("CREATE DATABASE looked_at")
        for options, name in (((), "without"), (_OPTIONS, "with")):
            mark = str(tmp_path / name).encode()
            login = [f"--socket={server.socket}", "--user=root", f"--password={server.root_password}"]
            subprocess.run(
                [*client(flavour).load, "--no-defaults", *login, *options, "--force", "looked_at"],
                input=dump % (mark, mark),
                capture_output=True,
                check=False,
            )

    assert (tmp_path / "without").exists() == flavour.startswith("mariadb")  # MySQL's newest do not by themselves
    assert not (tmp_path / "with").exists()
