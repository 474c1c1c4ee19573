"""Counts and sums at the dump's own moment."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest

from support.database_servers import ALL, Server, running
from support.mysql_source import connection
from support.mysql_world import SCHEMA, everything_schema, tracker_schema
from support.program import wait_until
from tracker_backup.sources.mysql.facts import gather, identify
from tracker_backup.sources.mysql.session import session
from tracker_backup.sources.mysql.ways import ServerRefusalError
from tracker_backup.sources.mysql.witness import Witness


@pytest.fixture(params=ALL, scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(request.param, tmp_path_factory.mktemp("server")) as started:
        tracker_schema(started, rows=1000)
        everything_schema(started, only=True)
        yield started


def witness(server: Server, schema: str = SCHEMA) -> Witness:
    reached = connection(server)
    return Witness(reached, schema, gather(reached, identify(reached), schema))


def test_a_session_keeps_what_it_has_locked_and_what_it_sees(server: Server):
    with session(connection(server)) as one:
        assert one.ask("SELECT 'a\\tb\\\\', NULL", seconds=10) == [("a\tb\\", "NULL")]
        one.ask("SET @kept = 7", seconds=10)
        one.submit("SELECT 1")
        one.submit("SELECT @kept")
        assert [one.answer(seconds=10), one.answer(seconds=10)] == [[("1",)], [("7",)]]
        with pytest.raises(ServerRefusalError, match="no answer within 1 s"):
            one.ask("SELECT SLEEP(3)", seconds=1)


def test_an_error_ends_a_session_with_what_the_server_said(server: Server):
    with session(connection(server)) as one, pytest.raises(ServerRefusalError, match="1146"):
        one.ask(f"SELECT * FROM {SCHEMA}.nothing", seconds=10)


def test_the_sums_are_those_of_the_moment_of_the_lock(server: Server):
    with witness(server) as seen:
        assert seen.why_not is None
        writer = threading.Thread(target=server.sql, args=("UPDATE torrents SET completed = 9 WHERE id = 1", SCHEMA))
        writer.start()
        time.sleep(0.5)
        assert writer.is_alive(), "the writer waits"
        seen.release()
        writer.join()
        server.sql("DELETE FROM torrents WHERE id = 2", SCHEMA)
        seen.collect(time.monotonic() + 60)
    assert seen.sums is not None
    assert seen.sums["torrents"].rows == 1000
    assert 0.5 < seen.stall_seconds < 60
    with witness(server) as again:
        again.release()
        again.collect(time.monotonic() + 60)
    assert again.sums is not None
    assert again.sums["torrents"].rows == 999
    assert {name for name in seen.sums if seen.sums[name] != again.sums[name]} == {"torrents"}
    server.sql(
        "UPDATE torrents SET completed = 0 WHERE id = 1; INSERT INTO torrents SELECT 2, LEFT(SHA2(1, 256), 40), 0",
        SCHEMA,
    )


def test_every_value_counts(server: Server):
    with witness(server, "everything") as seen:
        seen.release()
        seen.collect(time.monotonic() + 60)
    assert seen.sums is not None, seen.why_not
    tables = server.sql(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'everything'"
        " AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')"
    )
    assert set(seen.sums) == {name for [name] in tables}
    assert seen.sums["empty"].rows == 0
    assert all(each.digest != "0" for name, each in seen.sums.items() if name != "empty"), seen.sums


def test_a_long_transaction_costs_the_sums_and_not_the_writers(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tracker_backup.sources.mysql.witness._BETWEEN_SECONDS", 0.1)
    with session(connection(server)) as long:
        long.ask("START TRANSACTION", seconds=10)
        long.ask(f"UPDATE {SCHEMA}.torrents SET completed = 5 WHERE id = 3", seconds=10)
        with witness(server) as seen:
            seen.release()
            seen.collect(time.monotonic() + 60)
            assert seen.sums is None
            assert seen.why_not is not None
            assert "1205" in seen.why_not
            assert seen.stall_seconds >= 3
            server.sql("UPDATE torrents SET completed = 6 WHERE id = 4", SCHEMA)


def test_a_user_who_may_not_lock_gets_a_dump_without_sums(server: Server):
    server.user("nolock", "canary", f"SELECT ON {SCHEMA}.*")
    reached = connection(server, user="nolock", password="canary")
    with Witness(reached, SCHEMA, gather(reached, identify(reached), SCHEMA)) as seen:
        assert seen.why_not is not None
        assert "denied" in seen.why_not
    server.sql("DROP USER nolock")


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a")])
def test_whoever_writes_to_two_tables_waits_and_is_never_ended(
    server: Server, monkeypatch: pytest.MonkeyPatch, first: str, second: str
):
    """One session with both tables locked makes a deadlock of it, and the server ends the writer's statement."""
    monkeypatch.setattr("tracker_backup.sources.mysql.witness._TRIES", 1)
    server.sql("DROP DATABASE IF EXISTS pair; CREATE DATABASE pair")
    for table in ("a", "b"):
        server.sql(f"CREATE TABLE {table} (id INT PRIMARY KEY, n INT); INSERT INTO {table} VALUES (1, 0)", "pair")
    seen = witness(server, "pair")
    with session(connection(server)) as writer, contextlib.ExitStack() as held:
        writer.ask("START TRANSACTION", seconds=10)
        writer.ask(f"UPDATE pair.{first} SET n = n + 1", seconds=10)
        locking = threading.Thread(target=held.enter_context, args=(seen,))
        locking.start()
        waiting = "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE '%metadata lock%'"
        wait_until(lambda: server.sql(waiting) != [["0"]], lambda: "nobody waits for the writer")
        writer.ask(f"UPDATE pair.{second} SET n = n + 1", seconds=30)
        writer.ask("COMMIT", seconds=30)
        locking.join()
        assert seen.why_not is not None
        assert "1205" in seen.why_not
    assert server.sql("SELECT a.n, b.n FROM a JOIN b", "pair") == [["1", "1"]]


def test_of_too_many_tables_the_rows_in_the_dump_must_do(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tracker_backup.sources.mysql.witness.MOST_TABLES", 1)
    with witness(server) as seen:
        seen.release()
        seen.collect(time.monotonic() + 60)
    assert seen.sums is None
    assert seen.why_not is not None
    assert "1 at most can be locked at once" in seen.why_not
