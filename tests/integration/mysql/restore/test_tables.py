"""restore --table: single tables out of a dump, as text and in a schema of their own."""

from __future__ import annotations

from support.mysql_restore import Backed, contents

ODD = "a `quoted` name-with.all%"


def test_tables_go_into_a_schema_without_their_triggers(backed: Backed) -> None:
    tables = ("--table", "hen", "--table", ODD, "--table", "bytes")
    done = backed.into(*backed.as_admin(), *tables)

    assert done.returncode == 0, done.stderr
    before, after = contents(backed.server, backed.schema), contents(backed.server, backed.target)
    assert after == {name: before[name] for name in ("hen", ODD, "bytes")}
    assert backed.server.sql(f"SHOW TRIGGERS FROM {backed.target}") == []


def test_tables_become_a_file_that_loads(backed: Backed) -> None:
    directory = backed.program.directory / "restored"
    done = backed.program.run("restore", "latest", "--to", str(directory), "--table", "select", "--table", "egg")

    assert done.returncode == 0, done.stderr
    assert [file.name for file in directory.iterdir()] == ["tracker.tables.sql"]
    file = directory / "tracker.tables.sql"
    assert file.stat().st_mode & 0o777 == 0o600
    backed.server.sql(f"CREATE DATABASE {backed.target}")
    loaded = backed.server.load_client(file.read_bytes(), backed.target)
    assert loaded.returncode == 0, loaded.stderr
    before = contents(backed.server, backed.schema)
    assert contents(backed.server, backed.target) == {name: before[name] for name in ("select", "egg")}

    again = backed.program.run("restore", "latest", "--to", str(directory), "--table", "egg")
    assert again.returncode == 2
    assert "there is already" in again.stderr


def test_what_is_not_there_is_named(plain: Backed) -> None:
    directory = plain.program.directory / "restored"
    done = plain.program.run("restore", "latest", "--to", str(directory), "--table", "torrents", "--table", "peers")
    assert done.returncode == 2
    assert "has no table peers" in done.stderr
    assert "it has: keys, torrent_aggregate_metrics, torrents, whitelist" in done.stderr
    assert list(directory.iterdir()) == []
    assert "has no table peers" in plain.refusal(*plain.as_admin(), "--table", "peers", code=2)
