"""A stack does not leave while a process that is none of its services' has one of its databases open."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from support.engine import TrackerContainer
from support.program import Installation
from support.small_disk import needs_root

Start = Callable[..., TrackerContainer]
WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("CREATE TABLE stranger (id INTEGER)")
connection.commit()
print(flush=True)
for line in sys.stdin:
    connection.execute("INSERT INTO stranger VALUES (1)")
    connection.commit()
    print(flush=True)
"""


@contextmanager
def stranger(database: Path) -> Iterator[subprocess.Popen[str]]:
    """Have another process write into a database, in no container of the stack."""
    command = [sys.executable, "-c", WRITER, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def write(process: subprocess.Popen[str]) -> None:
    """Have it write a row more."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    process.stdout.readline()


def rows_in_last_backup(installation: Installation, database: str) -> int:
    """Return how many of the stranger's rows have left."""
    target = installation.directory / "restored"
    assert installation.run("restore", "latest", "--to", str(target)).returncode == 0
    [file] = target.rglob(database)
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute("SELECT count(*) FROM stranger").fetchone()[0])


@needs_root
@pytest.mark.parametrize(("name", "restored"), [("tracker.db", "tracker.sqlite3"), ("grafana.db", "grafana.db")])
def test_it_is_named_and_the_stack_can_be_started_again(
    installation: Installation, start_container: Start, name: str, restored: str
) -> None:
    tracker = start_container()
    with stranger(installation.data / name) as process:
        refused = installation.run("move", "leave")

        assert refused.returncode == 1
        assert f"process {process.pid} " in refused.stderr
        assert f"has {installation.data / name} open" in refused.stderr
        assert "move back" in refused.stderr
        assert installation.manifests() == []
        assert tracker.state() == "exited"

        assert installation.run("move", "back").returncode == 0
        assert tracker.state() == "running"
        assert "tracker-backup" in (installation.directory / "crontab").read_text()
        write(process)

    left = installation.run("move", "leave", "--json")

    assert left.returncode == 0, left.stderr
    assert json.loads(left.stdout)["backup"] == installation.manifests()[-1]["id"]
    assert rows_in_last_backup(installation, restored) == 1


@needs_root
def test_one_that_comes_while_the_last_backup_is_made(installation: Installation, start_container: Start) -> None:
    tracker = start_container()
    with installation.start_halting("read back", "move", "leave") as leaving, stranger(installation.database) as late:
        write(late)
        os.kill(leaving.halted_pid, signal.SIGCONT)
        assert leaving.wait() == 1
        assert f"process {late.pid} " in leaving.said()

    assert tracker.state() == "exited"
    assert installation.run("move", "leave").returncode == 0
    assert rows_in_last_backup(installation, "tracker.sqlite3") == 1
