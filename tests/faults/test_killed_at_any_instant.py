"""kill -9 at random instants, alone and with all that it started: what is there is whole, and the next start works."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from support.database_servers import Server, client, running
from support.databases import tracker_database
from support.faults import rounds
from support.killing import LANES, hunt
from support.mysql_program import small_schema
from support.mysql_world import COUNTER
from support.program import Installation, wait_until
from support.tracker_standin import Writer, check_invariant
from tracker_backup.repository.store import Repository

pytestmark = pytest.mark.guarantee(1, 2, 5, 16)

Tally = Callable[[str, int], None]
KILLS = rounds(300, short=8)
WRITES_PER_SECOND = 20
STACK = {
    "compose.yaml": b"services: {tracker: {image: torrust/tracker}}\n",
    ".env": b"SECRET=1\n",
    "storage/tracker/etc/tracker.toml": b"[core]\n",
    "storage/tracker/tls/key": bytes(range(256)) * 200,
}


def made(directory: Path, **settings: object) -> Installation:
    """Return an installation with a small database and an empty repository."""
    installation = Installation(directory, **settings)
    tracker_database(installation.database, 0.1)
    Repository(installation.repository).init()
    return installation


def expect_whole(database: Path) -> None:
    found = check_invariant(database, integrity=True)
    assert found["ok"], found
    assert found["counter"] > 0, "it was not written to"


def test_sqlite(tmp_path: Path, tally: Tally) -> None:
    installations = [made(tmp_path / str(lane)) for lane in range(LANES)]
    with ExitStack() as at_work:
        writers = [at_work.enter_context(Writer(each.database, rate=WRITES_PER_SECOND)) for each in installations]
        hunt(installations, KILLS, lambda _, target: expect_whole(target / "tracker.sqlite3"))
        assert sum(writer.stop()["failed"] for writer in writers) == 0
    tally("instants killed", KILLS)


def test_files(tmp_path: Path, tally: Tally) -> None:
    """A stack's files with a database among them that is written to."""
    installations = [made(tmp_path / str(lane), sources=[{"name": "files", "type": "files"}]) for lane in range(LANES)]
    for each in installations:
        for name, content in STACK.items():
            (each.data / name).parent.mkdir(parents=True, exist_ok=True)
            (each.data / name).write_bytes(content)

    def check(installation: Installation, target: Path) -> None:
        below = target / "files" / str(installation.data).lstrip("/")
        expect_whole(below / "tracker.db")
        assert {name: (below / name).read_bytes() for name in STACK} == STACK

    with ExitStack() as at_work:
        writers = [at_work.enter_context(Writer(each.database, rate=WRITES_PER_SECOND)) for each in installations]
        hunt(installations, KILLS, check)
        assert sum(writer.stop()["failed"] for writer in writers) == 0
    tally("instants killed", KILLS)


@contextmanager
def written_to(server: Server, schema: str) -> Iterator[None]:
    """Let the tracker's transactions be made in a schema while the block lasts; none of them may fail."""
    one = f"""
        INSERT INTO `{schema}`.torrents (info_hash, completed) VALUES (LEFT(SHA2(UUID(), 256), 40), 1);
        UPDATE `{schema}`.torrent_aggregate_metrics SET value = value + 1 WHERE metric_name = '{COUNTER}';
    """
    server.sql(
        f"""CREATE DATABASE `{schema}_writer`; USE `{schema}_writer`; CREATE TABLE go_on (id INT PRIMARY KEY);
        INSERT INTO go_on VALUES (1);
        DELIMITER //
        CREATE PROCEDURE write_on() WHILE EXISTS (SELECT * FROM go_on) DO
            START TRANSACTION; {one} COMMIT; DO SLEEP({1 / WRITES_PER_SECOND}); END WHILE//
        DELIMITER ;
        """
    )
    command = [*client(server.flavour).load, f"--defaults-file={server.option_file()}", f"{schema}_writer"]
    with subprocess.Popen([*command, "-e", "CALL write_on()"], stderr=subprocess.PIPE) as writer:
        try:
            yield
        finally:
            server.sql("DELETE FROM go_on", f"{schema}_writer")
            _, said = writer.communicate()
            assert writer.returncode == 0, said


def test_mysql(tmp_path: Path, tally: Tally) -> None:
    """A schema on a server of its own; a dump whose program was killed does not stay a session of the server."""
    check_alone = threading.Lock()
    with running("mysql-9.7", tmp_path / "server") as server:
        installations = [small_schema(server, tmp_path / str(lane), f"lane_{lane}") for lane in range(LANES)]

        def check(_: Installation, target: Path) -> None:
            with check_alone:
                expect_loads(server, target / "tracker.sql")

        with ExitStack() as at_work:
            for lane in range(LANES):
                at_work.enter_context(written_to(server, f"lane_{lane}"))
            hunt(list(installations), KILLS, check)
        sessions = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER LIKE 'keeper%'"
        wait_until(lambda: server.sql(sessions) == [["0"]], lambda: f"sessions go on: {server.sql('SHOW PROCESSLIST')}")
    tally("instants killed", KILLS)


def expect_loads(server: Server, dump: Path) -> None:
    """Load a dump, and check that each transaction is in it wholly or not at all."""
    server.sql("DROP DATABASE IF EXISTS loaded; CREATE DATABASE loaded")
    done = server.load_client(dump.read_bytes(), "loaded")
    assert done.returncode == 0, done.stderr
    [[total, counted]] = server.sql(
        "SELECT (SELECT SUM(completed) FROM torrents), (SELECT value FROM torrent_aggregate_metrics)", "loaded"
    )
    assert total == counted
    assert int(counted) > 0, "it was not written to"
