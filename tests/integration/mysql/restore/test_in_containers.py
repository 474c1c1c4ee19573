"""A stack as in production: the server in a container that publishes nothing, its user with rights in one schema."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.database_containers import DatabaseContainer
from support.database_servers import ROOT_PASSWORD, client
from support.engine import TrackerContainer, docker
from support.mysql_program import CANARY, CANARY_WORDS, MysqlInstallation
from support.mysql_stack import SCHEMA, database_of, write_stack
from support.mysql_world import TRACKER_TABLES, everything
from support.program import Running

ROWS = "SELECT COUNT(*) FROM hen UNION ALL SELECT COUNT(*) FROM whitelist"
SECRETS = (CANARY_WORDS.encode(), ROOT_PASSWORD.encode())


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    return write_stack(tmp_path / "stack", CANARY)


@pytest.fixture
def database(stack: Path, engine: None) -> Iterator[DatabaseContainer]:
    """Start the stack's server, which nobody reaches from outside of its container."""
    made = database_of("mysql-9.7", stack, CANARY, name=f"tracker-backup-test-restore-{os.getpid()}")
    made.remove()
    try:
        made.start("--skip-name-resolve", "--log-bin=log")  # as the images have it
        made.sql("\n".join((TRACKER_TABLES, *everything(made, only=True))), SCHEMA)
        yield made
    finally:
        made.remove()


@pytest.fixture
def program(stack: Path, tmp_path: Path, database: DatabaseContainer) -> MysqlInstallation:
    """Return the program on a host that has MariaDB's client, as Debian's default-mysql-client is, and a backup."""
    made = MysqlInstallation(
        tmp_path / "host",
        client("mariadb-10.11").directory,
        stack=str(stack),
        sources=None,
        files={"enabled": False},
        check="quick",
    )
    database.sql("GRANT SHOW_ROUTINE ON *.* TO 'tracker_user'@'%'")
    made.back_up()
    return made


@pytest.fixture
def tracker(stack: Path, tmp_path: Path, database: DatabaseContainer) -> Iterator[TrackerContainer]:
    (tmp_path / "data").mkdir()
    made = TrackerContainer(f"tracker-backup-test-tracker-{os.getpid()}", stack, tmp_path / "data", write=False)
    try:
        yield made
    finally:
        made.remove()


def seen_while(running: Running, look: Callable[[Path], bool]) -> set[str]:
    """Return the names of files in /proc that hold a secret while the program is at work."""
    found = set()
    while running.alive():
        for file in (process / "cmdline" for process in Path("/proc").glob("[0-9]*")):
            try:
                text = file.read_bytes()
                if look(file.parent):
                    text += (file.parent / "environ").read_bytes()
            except OSError:
                continue
            if any(secret in text for secret in SECRETS):
                found.add(text.decode(errors="replace")[:200])
    return found


def test_root_s_password_comes_from_the_container_where_the_tracker_s_user_may_not(
    program: MysqlInstallation, database: DatabaseContainer, tracker: TrackerContainer
) -> None:
    rows = database.sql(ROWS, SCHEMA)
    database.sql("INSERT INTO whitelist (info_hash) VALUES ('newer'); DROP VIEW b_first; DROP TRIGGER hen_in", SCHEMA)
    started = docker("inspect", "--format", "{{.State.StartedAt}}", database.name)
    newer = database.sql(ROWS, SCHEMA)

    with program.start("restore", "latest", "--in-place", "--yes", "--source", "tracker") as restoring:
        ours = lambda process: int(process.name) in {restoring.pid, *restoring.children()}  # noqa: E731
        seen = seen_while(restoring, ours)
        assert restoring.wait() == 0, restoring.said()
    said = restoring.said()
    assert seen == set()
    assert not any(secret.decode() in said + program.log.read_text() for secret in SECRETS)
    assert "a_needs_b of the live schema refer to what is not there" in said
    assert f"as root, with the password that container {database.name} was made with" in said
    assert f"stopped meanwhile: {tracker.name}" in said
    assert tracker.state() == "running"
    assert docker("inspect", "--format", "{{.State.StartedAt}}", database.name) == started
    assert database.sql(ROWS, SCHEMA) == rows
    assert database.sql("SELECT COUNT(*) FROM a_needs_b", SCHEMA) == [["2"]]
    [[kept]] = database.sql("SHOW DATABASES LIKE '%pre\\_restore%'")
    assert database.sql(ROWS, kept) == newer

    done = program.run("restore", "latest", "--source", "tracker", "--into", "looked_at")
    assert done.returncode == 0, done.stderr
    assert database.sql(ROWS, "looked_at") == rows
    # The client inside ended with it, and nothing was left in the container.
    assert "defaults-file" not in docker("top", database.name)


def test_a_server_that_stands_still_is_not_started(
    program: MysqlInstallation, database: DatabaseContainer, tracker: TrackerContainer
) -> None:
    docker("stop", database.name)
    for where in (("--in-place", "--yes"), ("--into", "looked_at")):
        done = program.run("restore", "latest", "--source", "tracker", *where)
        assert done.returncode == 1
        assert "service mysql has no running container" in done.stderr
        assert "start the server first: nothing was started and nothing was changed" in done.stderr
    assert not database.is_running()
    assert tracker.state() == "running"
