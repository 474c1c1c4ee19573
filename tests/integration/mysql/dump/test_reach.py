"""Servers in containers: found in the stack, reached from inside or at an address, gone in the midst of a dump."""

from __future__ import annotations

import itertools
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
from support.manifests import rewrite
from support.mysql_program import CANARY, CANARY_WORDS, WAITING, MysqlInstallation
from support.mysql_stack import SCHEMA, USER, database_of, write_stack
from support.program import wait_until
from tracker_backup.containers.docker import Container
from tracker_backup.sources.mysql.clients import Clients, client_of
from tracker_backup.sources.mysql.credentials import Credentials
from tracker_backup.sources.mysql.session import session
from tracker_backup.sources.mysql.ways import Connection, Way

TABLES = """
CREATE TABLE torrents (id INT PRIMARY KEY AUTO_INCREMENT, info_hash VARCHAR(40) NOT NULL);
INSERT INTO torrents (info_hash) VALUES ('one'), ('two');
CREATE TABLE zzz (id INT PRIMARY KEY);
"""
# What default-mysql-client installs there: the very packages that these are made of.
DEBIAN_12, DEBIAN_13 = "mariadb-10.11", "mariadb-11.8"
NUMBER = itertools.count()


@pytest.fixture(scope="module")
def network(engine: None) -> Iterator[None]:
    with internal_network():
        yield


@contextmanager
def started(flavour: str, stack: Path, *, network: bool) -> Iterator[DatabaseContainer]:
    """Run the stack's server as long as the block lasts."""
    name = f"tracker-backup-test-{os.getpid()}-{next(NUMBER)}"
    made = database_of(flavour, stack, CANARY, name=name, network=network)
    made.remove()
    try:
        made.start("--skip-name-resolve")  # as the images have it
        made.sql(TABLES, SCHEMA)
        yield made
    finally:
        made.remove()


def program_for(stack: Path, directory: Path, host: str = DEBIAN_12) -> MysqlInstallation:
    """Return the program on a host that has MariaDB's client, as Debian's default-mysql-client is."""
    programs = client(host).directory
    return MysqlInstallation(
        directory, programs, stack=str(stack), sources=None, files={"enabled": False}, check="quick"
    )


@pytest.fixture(scope="module")
def mysql_stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stack(tmp_path_factory.mktemp("shared") / "stack", CANARY)


@pytest.fixture(scope="module")
def database(mysql_stack: Path, network: None) -> Iterator[DatabaseContainer]:
    """Return MySQL in a network, for all tests that leave it as it is."""
    with started("mysql-9.7", mysql_stack, network=True) as made:
        yield made


@pytest.fixture
def program(mysql_stack: Path, database: DatabaseContainer, tmp_path: Path) -> MysqlInstallation:
    """Return the program for the stack of `database`."""
    return program_for(mysql_stack, tmp_path / "host")


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Return a stack whose server does not run yet."""
    return write_stack(tmp_path / "stack", CANARY)


@pytest.fixture
def own(stack: Path, tmp_path: Path) -> MysqlInstallation:
    """Return the program for `stack`."""
    return program_for(stack, tmp_path / "host")


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


def test_a_stack_as_in_production_is_found_and_dumped_from_inside(
    own: MysqlInstallation, stack: Path, engine: None
) -> None:
    with started("mysql-9.7", stack, network=False):
        (source,) = json.loads(own.run("discover", "--json").stdout)
        (artifact,) = own.back_up()["artifacts"]

    assert (source["type"], source["schema"], source["service"]) == ("mysql", SCHEMA, "tracker")
    assert "inside the container" in source["reach"]
    assert artifact["engine"]["rows"] == {"torrents": 2, "zzz": 0}
    assert artifact["engine"]["client"].startswith("mysqldump 9.7")
    assert artifact["engine"]["reach"].startswith("exec: tracker-backup-test-")
    assert artifact["state"] == "verified"


def test_a_mariadb_server_is_dumped_by_the_host_s_own_client(stack: Path, tmp_path: Path, network: None) -> None:
    with started("mariadb-10.11", stack, network=True) as database:
        for host in (DEBIAN_12, DEBIAN_13):
            program = program_for(stack, tmp_path / host, host)
            (artifact,) = program.back_up()["artifacts"]
            assert artifact["engine"]["reach"] == f"host: container address {database.address}:3306"
            assert artifact["engine"]["client"].startswith(f"mariadb-dump {host.removeprefix('mariadb-')}")


@pytest.mark.parametrize("host", [DEBIAN_12, DEBIAN_13])
def test_the_host_s_client_of_another_flavour_is_passed_over_and_the_reason_said(
    mysql_stack: Path, database: DatabaseContainer, tmp_path: Path, host: str
) -> None:
    program = program_for(mysql_stack, tmp_path / "host", host)
    done = program.run("--now")
    assert done.returncode == 0, done.stderr
    (doctors,) = [item for item in program.examined() if item["what"].startswith("tracker:")]
    for said in (done.stderr, doctors["remedy"]):
        assert f"passed over: mariadb-dump {host.removeprefix('mariadb-')}" in said
        assert "the server is MySQL, and this is MariaDB's client" in said
    assert program.manifests()[0]["artifacts"][0]["engine"]["client"].startswith("mysqldump 9.7")


def test_a_stored_dump_of_a_container_is_tried_on_its_image_while_that_is_there(program: MysqlInstallation) -> None:
    backup = program.repository / program.back_up()["id"]
    tried = program.run("verify", "--latest", "--full").stdout
    gone = f"sha256:{'0' * 64}"
    rewrite(backup, lambda manifest: manifest["artifacts"][0]["engine"]["trial"].update(image=gone))

    done = program.run("verify", "--latest", "--full")

    assert "checksums agree, restore ok; loaded, 2 rows in 2 tables" in tried
    assert done.returncode == 0, done.stderr
    assert f"quick ok; 2 rows in 2 tables; restore not tried: the image {gone} is not on this host, and" in done.stdout


@pytest.mark.parametrize(("reach", "begins"), [("exec", "exec: "), ("host", "host: container address ")])
def test_one_way_can_be_forced(program: MysqlInstallation, reach: str, begins: str) -> None:
    program.configure(mysql_reach=reach)

    assert program.back_up()["artifacts"][0]["engine"]["reach"].startswith(begins)


def test_the_host_s_client_cannot_dump_generated_columns_of_mysql(
    program: MysqlInstallation, database: DatabaseContainer
) -> None:
    database.sql("CREATE TABLE made (a INT PRIMARY KEY, b INT GENERATED ALWAYS AS (a * 2))", SCHEMA)
    program.configure(mysql_reach="host")
    said = program.refusal()
    database.sql("DROP TABLE made", SCHEMA)

    assert "MariaDB's client writes generated columns of MySQL such that they cannot be loaded: made" in said


def test_a_server_that_is_stopped(own: MysqlInstallation, stack: Path, engine: None) -> None:
    with started("mariadb-10.11", stack, network=False) as database:
        docker("stop", database.name)
        said = own.refusal()
    assert "service mysql has no running container" in said
    assert "(exited)" in said


def test_a_server_that_was_never_made_is_pending(own: MysqlInstallation, engine: None) -> None:
    done = own.run("--now")

    assert done.returncode == 3, done.stderr
    assert "service mysql has no running container" in done.stderr
    assert own.manifests() == []


@pytest.mark.parametrize("reach", ["exec", "host"])
@pytest.mark.parametrize(
    "end", ["kill", "rm", "recreate", *(pytest.param(end, marks=pytest.mark.thorough) for end in ("stop", "restart"))]
)
@pytest.mark.guarantee(1, 6)
def test_a_container_that_goes_away_in_the_midst_of_a_dump(
    own: MysqlInstallation, stack: Path, network: None, reach: str, end: str
) -> None:
    own.configure(mysql_reach=reach, mysql_max_wait_seconds=4)
    with started("mariadb-10.11", stack, network=True) as database:
        with held(database), own.start("--now") as running:
            wait_until_dumping(database)
            docker(*{"rm": ("rm", "--force"), "recreate": ("rm", "--force")}.get(end, (end,)), database.name)
            if end == "recreate":  # under the same name, as Compose does it
                database.start("--skip-name-resolve")
            code = running.wait()
        if end == "restart" and code == 0:  # it was back soon enough
            assert [manifest["state"] for manifest in own.manifests()] == ["verified"]
        else:
            assert code == 1, running.said()
            assert "its container was stopped, paused or removed" in running.said()
            assert own.manifests() == []
        assert own.left_over() == []


@pytest.mark.guarantee(3, 6)
@pytest.mark.parametrize("reach", ["exec", pytest.param("host", marks=pytest.mark.thorough)])
def test_a_server_that_somebody_pauses_in_the_midst_of_a_dump_stays_paused(
    own: MysqlInstallation, stack: Path, network: None, reach: str
) -> None:
    own.configure(mysql_reach=reach, mysql_max_wait_seconds=4)
    with started("mariadb-10.11", stack, network=True) as database:
        with held(database), own.start("--now") as running:
            wait_until_dumping(database)
            docker("pause", database.name)
            assert running.wait() == 1, running.said()
        assert docker("inspect", "--format", "{{.State.Status}}", database.name) == "paused"
        assert "its container was stopped, paused or removed" in running.said()
        assert own.manifests() == []
        assert own.left_over() == []
        docker("unpause", database.name)
        assert own.back_up()["state"] == "verified"


@pytest.mark.guarantee(16)
def test_a_run_that_is_ended_ends_the_client_inside_the_container(
    program: MysqlInstallation, database: DatabaseContainer
) -> None:
    with held(database), program.start("--now") as running:
        wait_until_dumping(database)
        running.signal(15)
        assert running.wait() == 143, running.said()
        wait_until(lambda: "mysqldump" not in docker("top", database.name), lambda: docker("top", database.name))


def test_a_session_inside_the_container_ends_with_its_block_and_with_it_its_locks(database: DatabaseContainer) -> None:
    """Killing `docker exec` alone would leave it at work, and everybody who writes waiting for it."""
    identifier = docker("inspect", "--format", "{{.Id}}", database.name)
    mysql = client_of("mysql", "mysql", docker("exec", database.name, "mysql", "--version"), "")
    way = Way(
        "exec",
        "its port",
        Clients(mysql, mysql),
        {"host": "127.0.0.1", "protocol": "tcp"},
        Container(identifier, "running", database.name),
    )
    with session(Connection(way, Credentials(USER, CANARY))) as one:
        one.ask(f"LOCK TABLES {SCHEMA}.torrents READ", seconds=60)
        one.submit("SELECT SLEEP(600)")

    # The server looks every few seconds whether somebody still waits for the end of that.
    wait_until(lambda: not any(row[1] == USER for row in database.sql("SHOW PROCESSLIST")), database.log)
    database.sql("DELETE FROM torrents WHERE id = -1", SCHEMA)


def test_the_password_is_seen_in_no_process_of_ours(program: MysqlInstallation, database: DatabaseContainer) -> None:
    with held(database) as release, program.start("--now", "-v") as running:
        wait_until_dumping(database)
        lines = docker("top", database.name, "-eo", "pid,args").splitlines()
        clients = [line for line in lines if "mysqldump --defaults-file=/dev/stdin" in line]
        # The container's own environment holds it, as Compose has put it there; arguments are another matter.
        ours = [
            read(file)
            for file in (process / "cmdline" for process in Path("/proc").glob("[0-9]*"))
            if b"MYSQL_PWD" not in read(file)
        ]
        release()
        assert running.wait() == 0, running.said()
    assert clients
    assert [line for line in ours if CANARY_WORDS.encode() in line] == []
    assert CANARY_WORDS not in running.said()
    files = [file for file in program.directory.rglob("*") if file.is_file()]
    kept = [file for file in files if CANARY_WORDS.encode() in file.read_bytes()]
    assert kept == []


def read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""  # it has ended
