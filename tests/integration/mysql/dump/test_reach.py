"""Servers in containers: found in the stack, reached from inside or at an address, gone in the midst of a dump."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.database_containers import DatabaseContainer, internal_network
from support.database_servers import ROOT_PASSWORD, client
from support.engine import docker
from support.mysql_program import CANARY, WAITING, MysqlInstallation
from support.mysql_stack import SCHEMA, database_of, write_stack
from support.program import wait_until

TABLES = """
CREATE TABLE torrents (id INT PRIMARY KEY AUTO_INCREMENT, info_hash VARCHAR(40) NOT NULL);
INSERT INTO torrents (info_hash) VALUES ('one'), ('two');
CREATE TABLE zzz (id INT PRIMARY KEY);
"""
Start = Callable[..., DatabaseContainer]


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return write_stack(tmp_path / "stack", CANARY)


@pytest.fixture
def network(engine: None) -> Iterator[None]:
    with internal_network():
        yield


@pytest.fixture
def start(stack: Path, network: None) -> Iterator[Start]:
    """Return what starts the stack's server; it is removed in the end."""
    started: list[DatabaseContainer] = []

    def start(flavour: str = "mysql-9.7", *, network: bool = False) -> DatabaseContainer:
        made = database_of(flavour, stack, CANARY, name=f"tracker-backup-test-{os.getpid()}", network=network)
        made.remove()
        started.append(made)
        made.start("--skip-name-resolve")  # as the images have it
        made.sql(TABLES, SCHEMA)
        return made

    yield start
    for container in started:
        container.remove()


@pytest.fixture
def program(stack: Path, tmp_path: Path) -> MysqlInstallation:
    """Return the program on a host that has MariaDB's client, as Debian's default-mysql-client is."""
    programs = client("mariadb-10.11").directory
    return MysqlInstallation(
        tmp_path / "host", programs, stack=str(stack), sources=None, files={"enabled": False}, check="quick"
    )


@contextmanager
def held(database: DatabaseContainer) -> Iterator[Callable[[], None]]:
    """Hold the last table's lock in a session of root's, until the end or until what is given is called."""
    command = ["docker", "exec", "--interactive", "--env", f"MYSQL_PWD={ROOT_PASSWORD}"]
    program = "mysql" if database.vendor == "mysql" else "mariadb"
    command += [database.name, program, "--user=root", "--batch", "--unbuffered", "--skip-column-names", SCHEMA]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as session:
        assert session.stdin is not None
        assert session.stdout is not None
        try:
            session.stdin.write(b"LOCK TABLES zzz WRITE; SELECT 'held';\n")
            assert session.stdout.read(5) == b"held\n"
            yield session.kill
        finally:
            session.kill()


def wait_until_dumping(database: DatabaseContainer) -> None:
    wait_until(lambda: any(WAITING in row for row in database.sql("SHOW PROCESSLIST")), database.log)


def test_a_stack_as_in_production_is_found_and_dumped_from_inside(program: MysqlInstallation, start: Start) -> None:
    start()

    (source,) = json.loads(program.run("discover", "--json").stdout)
    (artifact,) = program.back_up()["artifacts"]

    assert (source["type"], source["schema"], source["service"]) == ("mysql", SCHEMA, "tracker")
    assert "inside the container" in source["reach"]
    assert artifact["engine"]["rows"] == {"torrents": 2, "zzz": 0}
    assert artifact["engine"]["client"].startswith("mysqldump 9.7")
    assert artifact["engine"]["reach"].startswith("exec: tracker-backup-test-")
    assert artifact["state"] == "verified"


def test_a_mariadb_server_is_dumped_by_the_host_s_own_client(program: MysqlInstallation, start: Start) -> None:
    database = start("mariadb-10.11", network=True)
    done = program.run("--now")
    assert done.returncode == 0, done.stderr
    (artifact,) = program.manifests()[0]["artifacts"]

    assert artifact["engine"]["reach"] == f"host: container address {database.address}:3306", done.stderr
    assert artifact["engine"]["client"].startswith("mariadb-dump 10.11")


def test_the_host_s_client_of_another_flavour_is_passed_over_and_the_reason_said(
    program: MysqlInstallation, start: Start
) -> None:
    start(network=True)
    done = program.run("--now")
    assert done.returncode == 0, done.stderr
    (doctors,) = [item for item in program.examined() if item["what"].startswith("tracker:")]
    for said in (done.stderr, doctors["remedy"]):
        assert "passed over: mariadb-dump 10.11" in said
        assert "the server is MySQL, and this is MariaDB's client" in said
    assert program.manifests()[0]["artifacts"][0]["engine"]["client"].startswith("mysqldump 9.7")


@pytest.mark.parametrize(("reach", "begins"), [("exec", "exec: "), ("host", "host: container address ")])
def test_one_way_can_be_forced(program: MysqlInstallation, start: Start, reach: str, begins: str) -> None:
    start(network=True)
    program.configure(mysql_reach=reach)

    assert program.back_up()["artifacts"][0]["engine"]["reach"].startswith(begins)


def test_the_host_s_client_cannot_dump_generated_columns_of_mysql(program: MysqlInstallation, start: Start) -> None:
    database = start(network=True)
    database.sql("CREATE TABLE made (a INT PRIMARY KEY, b INT GENERATED ALWAYS AS (a * 2))", SCHEMA)
    program.configure(mysql_reach="host")

    assert (
        "MariaDB's client writes generated columns of MySQL such that they cannot be loaded: made" in program.refusal()
    )


def test_a_server_that_is_stopped(program: MysqlInstallation, start: Start) -> None:
    database = start()
    docker("stop", database.name)

    said = program.refusal()
    assert "service mysql has no running container" in said
    assert "(exited)" in said


def test_a_server_that_was_never_made_is_pending(program: MysqlInstallation) -> None:
    done = program.run("--now")

    assert done.returncode == 3, done.stderr
    assert "service mysql has no running container" in done.stderr
    assert program.manifests() == []


@pytest.mark.parametrize("reach", ["exec", "host"])
@pytest.mark.parametrize("end", ["kill", "rm"])
def test_a_container_that_goes_away_in_the_midst_of_a_dump(
    program: MysqlInstallation, start: Start, reach: str, end: str
) -> None:
    database = start(network=True)
    program.configure(mysql_reach=reach, mysql_max_wait_seconds=4)
    with held(database), program.start("--now") as running:
        wait_until_dumping(database)
        docker(end, *(["--force"] if end == "rm" else []), database.name)
        assert running.wait() == 1, running.said()
    assert "its container was stopped or removed" in running.said()
    assert program.manifests() == []
    assert program.left_over() == []


def test_a_run_that_is_ended_ends_the_client_inside_the_container(program: MysqlInstallation, start: Start) -> None:
    database = start()
    with held(database), program.start("--now") as running:
        wait_until_dumping(database)
        running.signal(15)
        assert running.wait() == 143, running.said()
        wait_until(lambda: "mysqldump" not in docker("top", database.name), lambda: docker("top", database.name))


def test_the_password_is_seen_in_no_process_of_ours(program: MysqlInstallation, start: Start) -> None:
    database = start()
    with held(database) as release, program.start("--now", "-v") as running:
        wait_until_dumping(database)
        lines = docker("top", database.name, "-eo", "pid,args").splitlines()
        clients = [line for line in lines if "mysqldump --defaults-file=/dev/stdin" in line]
        # The container's own environment holds it, as Compose has put it there; arguments are another matter.
        ours = [read(file) for file in Path("/proc").glob("[0-9]*/cmdline") if b"MYSQL_PWD" not in read(file)]
        release()
        assert running.wait() == 0, running.said()
    assert clients
    assert [line for line in ours if b"canary 5ec2e7" in line] == []
    assert "canary 5ec2e7" not in running.said()
    kept = [file for file in program.directory.rglob("*") if file.is_file() and b"canary 5ec2e7" in file.read_bytes()]
    assert kept == []


def read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""  # it has ended
