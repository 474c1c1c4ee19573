"""The program as it dumps schemas of a test's own servers, and what holds a dump up in its midst."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.database_servers import Server, client
from support.mysql_world import tracker_schema
from support.program import _DEFAULT_SIGNALS, Installation, wait_until
from tracker_backup.repository.store import Repository

WITH_PROGRAMS = Path(__file__).with_name("with_programs.py")
# Of this test process alone: what another one does beside it is not what a search of all processes is to find.
CANARY_WORDS = f"canary 5ec2e7 {os.getpid()}"
CANARY = f"{CANARY_WORDS} '\"\\#% $`/@:?"
"""A password with all that has ever been read wrong."""
# What docs/mysql.md says is needed, by vendor; {schema} is the schema.
LEAST = {
    "mysql": ("SELECT, SHOW VIEW, TRIGGER, EVENT ON `{schema}`.*", "SHOW_ROUTINE ON *.*"),
    "mariadb": ("SELECT, SHOW VIEW, TRIGGER, EVENT ON `{schema}`.*", "SELECT ON `mysql`.`proc`"),
}
WAITING = "Waiting for table metadata lock"


class MysqlInstallation(Installation):
    """An installation that finds the programs in `programs` before all others, or with `alone` only those."""

    def __init__(self, directory: Path, programs: Path, *, alone: bool = False, **settings: Any) -> None:
        """Make it with a repository; `settings` go into the configuration."""
        self.programs, self.alone = programs, alone
        super().__init__(directory, **settings)
        Repository(self.repository).init()

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of the program."""
        place = f"{'-' if self.alone else ''}{self.programs}"
        return [*_DEFAULT_SIGNALS, self.python, "-I", str(WITH_PROGRAMS), place, *arguments]

    def dump(self, server: Server, schema: str, user: str, password: str = CANARY, **source: Any) -> None:
        """Configure one source `tracker`, a schema that a user reaches over TCP."""
        file = self.directory / "password"
        file.write_text(password + "\n", encoding="utf-8")
        file.chmod(0o600)
        where = {} if "socket" in source else {"host": server.host, "port": server.port}
        entry = {"name": "tracker", "type": "mysql", "schema": schema, "user": user, "password_file": str(file)}
        self.configure(sources=[{**entry, **where, **source}])

    def refusal(self) -> str:
        """Return what a backup says that must fail, with nothing published and nothing left."""
        done = self.run("--now")
        assert done.returncode == 1, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert self.manifests() == []
        assert self.left_over() == []
        return done.stderr


def installation_for(server: Server, directory: Path, **settings: Any) -> MysqlInstallation:
    """Return an installation on a host that has the server's own clients."""
    return MysqlInstallation(directory, client(server.flavour).directory, **settings)


def least_user(server: Server, name: str, schema: str, password: str = CANARY) -> None:
    """Make a user with the least rights that a complete dump needs."""
    server.user(name, password, *(grant.format(schema=schema) for grant in LEAST[server.vendor]))


def small_schema(server: Server, directory: Path, schema: str) -> MysqlInstallation:
    """Return an installation that dumps a new small schema of a server, with the rights that it needs at least."""
    tracker_schema(server, schema, rows=200)
    least_user(server, f"keeper_{schema}", schema)
    installation = installation_for(server, directory, check="quick")
    installation.dump(server, schema, f"keeper_{schema}")
    return installation


@contextmanager
def held(server: Server, statements: str, schema: str) -> Iterator[Callable[[], None]]:
    """Run statements in a session of root's; it ends with the block, or when what the block is given is called."""
    command = [*client(server.flavour).load, f"--defaults-file={server.option_file()}", "--batch", "--unbuffered"]
    with subprocess.Popen([*command, schema], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as session:
        assert session.stdin is not None
        assert session.stdout is not None
        try:
            session.stdin.write(f"{statements}; SELECT 'held';\n".encode())
            session.stdin.flush()
            assert session.stdout.readline() == b"held\n", "the session ended"
            yield session.stdin.close
        finally:
            session.stdin.close()


def wait_for_the_lock(server: Server, said: Any) -> None:
    """Wait until a session waits for a table's lock."""
    wait_until(lambda: any(WAITING in row for row in server.sql("SHOW PROCESSLIST")), said)
