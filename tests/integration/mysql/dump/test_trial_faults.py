"""What can go wrong with the throw-away server in a whole run: this host's troubles cost the check, not the backup."""

from __future__ import annotations

import json
import os
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.database_servers import Server, client
from support.engine import processes_with
from support.mysql_program import CANARY, LEAST, MysqlInstallation, installation_for
from support.program import Running, wait_until
from support.small_disk import fill, needs_root, small_disk

SCHEMA = "tried"
ROWS = 200
TABLES = f"""
CREATE TABLE {SCHEMA}.torrents (id INT PRIMARY KEY, info_hash VARCHAR(40) NOT NULL);
INSERT INTO {SCHEMA}.torrents VALUES (1, 'one'), (2, 'two');
CREATE TABLE {SCHEMA}.large (id INT PRIMARY KEY, t MEDIUMTEXT);
INSERT INTO {SCHEMA}.large SELECT seq, REPEAT('0123456789', 20000) FROM {SCHEMA}.numbers;
"""


@pytest.fixture(scope="module")
def schema(mariadb: Server) -> Server:
    """Return a server with a schema that takes a moment to load, and a user who may dump it and hold it still."""
    numbers = ", ".join(f"({number})" for number in range(ROWS))
    mariadb.sql(
        f"CREATE DATABASE {SCHEMA}; CREATE TABLE {SCHEMA}.numbers (seq INT); INSERT INTO {SCHEMA}.numbers"
        f" VALUES {numbers}; {TABLES}"
    )
    grants = [grant.format(schema=SCHEMA) for grant in LEAST[mariadb.vendor]]
    mariadb.user(SCHEMA, CANARY, *grants, f"LOCK TABLES ON `{SCHEMA}`.*")
    return mariadb


@pytest.fixture
def program(schema: Server, tmp_path: Path) -> MysqlInstallation:
    program = installation_for(schema, tmp_path / "host", check="full")
    program.dump(schema, SCHEMA, SCHEMA)
    return program


@contextmanager
def halted(program: MysqlInstallation) -> Iterator[tuple[Running, int]]:
    """Make a backup, and halt the throw-away server before it takes the dump; it goes on by SIGCONT."""
    with program.start("--now") as running:
        wait_until(lambda: pid_of_the_server(program) is not None, running.said, running)
        pid = pid_of_the_server(program)
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        running.halted_pid = pid
        yield running, pid


def pid_of_the_server(program: MysqlInstallation) -> int | None:
    """Return the number that the server has written into its directory, None before it has."""
    for file in program.staging.rglob("trial/pid"):
        text = file.read_text()
        return int(text) if text.endswith("\n") else None
    return None


def expect_an_open_question(program: MysqlInstallation) -> str:
    """Return why the restore check was not made; the backup is verified by the quick one, and nothing is left."""
    (artifact,) = program.manifests()[-1]["artifacts"]
    quick, restore = artifact["checks"]
    assert (quick["check"], quick["ok"], artifact["state"]) == ("quick", True, "verified")
    assert (restore["check"], restore["ok"]) == ("restore", None), restore
    assert program.left_over() == []
    assert processes_with(str(program.staging), "--datadir") == set()
    said: str = restore["messages"][0]
    assert said.startswith("not tried: ")
    return said


@needs_root
def test_a_disk_that_fills_up_under_the_server(program: MysqlInstallation, tmp_path: Path):
    with small_disk(tmp_path / "small", mib=1000) as disk:
        program.configure(staging=str(disk / "staging"))
        with halted(program) as (running, pid):
            filler = fill(disk)
            os.kill(pid, signal.SIGCONT)
            assert running.wait() == 0, running.said()
        assert "the throw-away server" in expect_an_open_question(program)
        assert "would have to be free on the disk" in program.run("doctor").stdout
        filler.unlink()
        assert [check["ok"] for check in program.back_up()["artifacts"][0]["checks"]] == [True, True]


def test_the_server_dies_while_it_is_tried(program: MysqlInstallation):
    with halted(program) as (running, pid):
        os.kill(pid, signal.SIGKILL)
        assert running.wait() == 0, running.said()
    assert "the throw-away server" in expect_an_open_question(program)


@pytest.mark.guarantee(1, 16)
def test_a_run_that_is_killed_takes_the_server_with_it_and_the_next_one_sweeps(program: MysqlInstallation):
    with halted(program) as (running, pid):
        running.signal(signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL
        wait_until(lambda: not processes_with(str(program.staging), "--datadir"), lambda: f"{pid} lives on")
    assert program.manifests() == []
    assert program.left_over() != []
    program.back_up()
    assert program.left_over() == []


class Poor(MysqlInstallation):
    """A host with little memory, as far as /proc tells."""

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of the program, in a world of its own."""
        (self.directory / "meminfo").write_text("MemTotal: 2097152 kB\nMemAvailable: 1048576 kB\n")
        script = f'mount --bind {shlex.quote(str(self.directory / "meminfo"))} /proc/meminfo && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, "sh", *super().command(*arguments)]


@needs_root
def test_a_host_with_little_memory(schema: Server, tmp_path: Path):
    program = Poor(tmp_path / "host", client(schema.flavour).directory, check="full")
    program.dump(schema, SCHEMA, SCHEMA)
    done = program.run("--now")
    why = "2.0 GiB of memory would have to be available, and 1.0 GiB are"
    assert done.returncode == 0, done.stderr
    assert f"note: tracker: restore not tried: {why}" in done.stderr
    assert expect_an_open_question(program) == f"not tried: {why}"
    assert f"there is no weekly restore check: {why}" in program.run("doctor").stdout
    assert f"; restore not tried: {why}" in program.run("verify", "--latest", "--full").stdout


@pytest.mark.guarantee(4)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("s/'two'/'2wo'/", "restored, table torrents: 2 rows, but not the same ones"),
        ("s/`id` int(11) NOT NULL/`id` int(11) NOT NULL DEFAULT 7/", "restored, column large.id is another"),
        ("s/PRIMARY KEY (`id`)/PRIMARY KEY (`it`)/", "the dump does not load: ERROR 1072"),
    ],
)
def test_a_client_that_writes_something_else_is_found_out(schema: Server, tmp_path: Path, change: str, said: str):
    """A dump that is to blame is damage, which no quick check could have seen."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for file in client(schema.flavour).directory.iterdir():
        (programs / file.name).symlink_to(file)
    (programs / "mariadb-dump").unlink()
    real = shlex.quote(client(schema.flavour).dump[0])
    script = f'{real} "$@" | sed {shlex.quote(change)}'
    (programs / "mariadb-dump").write_text(f"#!/bin/bash\nset -o pipefail\n{script}\n")
    (programs / "mariadb-dump").chmod(0o755)
    program = MysqlInstallation(tmp_path / "host", programs, check="full")
    program.dump(schema, SCHEMA, SCHEMA)

    done = program.run("--now")

    assert done.returncode == 5, done.stderr
    assert said in done.stderr
    assert program.manifests() == []
    kept = quarantined(program)["artifacts"][0]
    assert [check["ok"] for check in kept["checks"]] == [True, False]


def quarantined(program: MysqlInstallation) -> dict[str, Any]:
    """Return the manifest of the set in quarantine."""
    (file,) = (program.repository / ".quarantine").glob("*/manifest.json")
    manifest: dict[str, Any] = json.loads(file.read_text())
    return manifest
