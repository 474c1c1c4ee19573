"""Real MySQL and MariaDB servers as private processes of a test, and the clients of every flavour.

    with running("mysql-9.7", directory) as server:
        server.sql("CREATE DATABASE torrust_tracker")
        client("mariadb-10.11").dump  # ["/…/bin/mariadb-dump"], to run on this machine

A server is up within a few seconds, listens on a socket and on a loopback port of its own, and is gone at the end.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.database_images import FLAVOURS, Image, image
from support.ports import free_port
from support.program import PATIENCE_SECONDS, wait_until

ALL = tuple(FLAVOURS)
# Of this test process alone: others may run beside it, whose command lines are none of its business.
ROOT_PASSWORD = f"root canary {os.getpid()} '\"\\#% $`/@:"
# Small and quick to start, durable enough for a test: a killed server loses nothing that was committed.
OPTIONS = ("--skip-name-resolve", "--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=2")
VENDOR_OPTIONS = {
    "mysql": ("--mysqlx=OFF", "--disable-log-bin", "--log-error-verbosity=2", "--secure-file-priv=NULL"),
    "mariadb": ("--innodb-log-file-size=8M",),
}


@dataclass(frozen=True)
class Client:
    """The programs of one flavour, each an argv to put arguments behind."""

    flavour: str
    dump: tuple[str, ...]
    load: tuple[str, ...]
    directory: Path


def client(flavour: str) -> Client:
    """Return the clients of a flavour. They are found as `mysqldump`, `mariadb-dump`, … in `directory`, too."""
    made = image(flavour)
    dump, load = ("mysqldump", "mysql") if made.flavour.vendor == "mysql" else ("mariadb-dump", "mariadb")
    return Client(flavour, (made.program(dump),), (made.program(load),), made.bin)


def sql_text(value: str) -> str:
    """Return a string as SQL writes it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Server:
    """A running server: `host`, `port`, `socket`, `root`, `root_password`; `log` is where it says why it died."""

    host = "127.0.0.1"
    root = "root"
    root_password = ROOT_PASSWORD

    def __init__(self, flavour: str, directory: Path, options: Sequence[str] = ()) -> None:
        """Lay its data directory below `directory`, which must be empty; nothing runs yet."""
        self.image: Image = image(flavour)
        self.flavour = flavour
        self.vendor = self.image.flavour.vendor
        self.port = free_port()
        self.data = directory / "data"
        self.log = directory / "log"
        # The path of a socket has at most 107 bytes, and pytest's directories are long.
        self._short = Path(f"/tmp/tb-{os.getpid()}-{self.port}")
        self.socket = self._short / "s"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        # Its own: MariaDB removes at its start what other servers have in a directory of temporary files.
        self._temporary = directory / "tmp"
        shutil.copytree(self.image.data, self.data)

    @property
    def pid(self) -> int:
        """Return its process's number."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        self._short.mkdir(mode=0o755, exist_ok=True)
        self._temporary.mkdir(mode=0o700, exist_ok=True)
        first = not (self.data / "root-has-a-password").exists()
        secret = self.data.parent / "init.sql"
        secret.write_text(self._root_statements())
        command = [self.image.program("mysqld" if self.vendor == "mysql" else "mariadbd"), "--no-defaults"]
        command += [f"--datadir={self.data}", f"--socket={self.socket}", "--user=root"]
        command += [f"--port={self.port}", f"--bind-address={self.host}", f"--pid-file={self.data}/pid"]
        command += [f"--tmpdir={self._temporary}"]
        command += [*OPTIONS, *VENDOR_OPTIONS[self.vendor], *self._options]
        command += [f"--init-file={secret}"] if first else []
        # A test run that is killed leaves no server behind.
        command = ["setpriv", "--pdeathsig", "KILL", *command]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        # Whoever asks again and again, of a server that is starting, takes the time that it needs.
        up = lambda: self._process is None or self._process.poll() is not None or self._answers()  # noqa: E731
        wait_until(up, self._said, every_seconds=0.1)
        assert self._process.poll() is None, self._said()
        (self.data / "root-has-a-password").touch()

    def stop(self) -> None:
        """End it in an orderly way; it may have ended before."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self._short, ignore_errors=True)

    def kill(self) -> None:
        """Kill it, as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE_SECONDS)

    def freeze(self) -> None:
        """Stop it from doing anything at all, its connections open; `thaw` lets it go on."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Undo `freeze`."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Stop it, if it runs, and start it again with the same data and the same port."""
        self.stop()
        self.start()

    def sql(self, statements: str, schema: str | None = None) -> list[list[str]]:
        """Run statements as root with the server's own client and return all rows, fields as text, NULL as "NULL"."""
        done = self.load_client(statements.encode(), schema)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return [line.split("\t") for line in done.stdout.decode(errors="surrogateescape").splitlines()]

    def load_client(self, statements: bytes, schema: str | None = None) -> subprocess.CompletedProcess[bytes]:
        """Feed bytes to the server's own client as root, and return how it ended."""
        command = [
            *client(self.flavour).load,
            f"--defaults-file={self.option_file()}",
            "--batch",
            "--skip-column-names",
        ]
        command += ["--batch", "--skip-column-names", "--default-character-set=utf8mb4"]
        command += ["--max-allowed-packet=1G", "--binary-mode"]
        command += [schema] if schema else []
        return subprocess.run(command, input=statements, capture_output=True, check=False)

    def option_file(self, user: str = "root", password: str = ROOT_PASSWORD, section: str = "client") -> Path:
        """Write an option file for a user who comes through the socket, and return its path."""
        file = self.data.parent / f"{user}.cnf"
        escaped = password.replace("\\", "\\\\").replace('"', '\\"')
        file.write_text(f'[{section}]\nsocket={self.socket}\nuser={user}\npassword="{escaped}"\n')
        file.chmod(0o600)
        return file

    def user(self, name: str, password: str, *grants: str) -> None:
        """Make a user for all hosts; `grants` are what stands between GRANT and TO."""
        account = f"{sql_text(name)}@'%'"
        statements = [f"CREATE USER {account} IDENTIFIED BY {sql_text(password)}"]
        statements += [f"GRANT {grant} TO {account}" for grant in grants]
        self.sql(";\n".join(statements))

    def _root_statements(self) -> str:
        """Return what gives root a password, here and over TCP; each statement on a line of its own."""
        password = sql_text(ROOT_PASSWORD)
        return (
            f"ALTER USER 'root'@'localhost' IDENTIFIED BY {password};\n"
            f"CREATE USER 'root'@'%' IDENTIFIED BY {password};\n"
            "GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION;\n"
        )

    def _answers(self) -> bool:
        return self.load_client(b"SELECT 1").returncode == 0

    def _said(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


@contextmanager
def running(flavour: str, directory: Path, options: Sequence[str] = ()) -> Iterator[Server]:
    """Run a server of this flavour as long as the block lasts, its files below `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    server = Server(flavour, directory, options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
