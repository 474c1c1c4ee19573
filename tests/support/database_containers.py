"""Real MySQL and MariaDB servers in containers of a real Docker Engine, as Compose starts them in a stack.

The images are imported from the same file systems that `database_images` builds: no registry, nobody else's image.
Nothing is published: the server is reached from inside, or at the container's address in the stack's own network.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from support.database_images import ENTRYPOINT, Image, image, write_archive
from support.database_servers import ROOT_PASSWORD, sql_text
from support.engine import docker
from support.program import wait_until

# Names of this test process alone: others use the same engine beside it.
NAME = f"tracker-backup-test-mysql-{os.getpid()}"
NETWORK = f"tracker-backup-test-database-{os.getpid()}"


def imported(flavour: str) -> str:
    """Return the reference of a flavour's image in the engine, imported when it is not there."""
    made = image(flavour)
    entrypoint = hashlib.sha256(ENTRYPOINT.read_bytes()).hexdigest()[:12]
    reference = f"tracker-backup-test-{flavour}:{made.hash}-{entrypoint}"
    # Of the test processes that run side by side one imports it.
    with (made.directory / "importing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not docker("images", "--quiet", reference):
            _import(made, reference)
    return reference


def _import(made: Image, reference: str) -> None:
    changes = ['ENTRYPOINT ["/entrypoint.sh"]', "VOLUME /var/lib/mysql", "EXPOSE 3306"]
    command = ["docker", "import", *(f"--change={change}" for change in changes), "-", reference]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        write_archive(made, process.stdin)
        process.stdin.close()
    assert process.returncode == 0


class DatabaseContainer:
    """A container of a stack's database service, with what Compose gives it."""

    def __init__(
        self, flavour: str, stack: Path, name: str = NAME, *, service: str = "mysql", network: bool = False
    ) -> None:
        """Describe it; `network` puts it into an internal network of its own, else it has none."""
        self.flavour = flavour
        self.vendor = image(flavour).flavour.vendor
        self.name = name
        self.environment: dict[str, str] = {}
        self._labels = {
            "com.docker.compose.service": service,
            "com.docker.compose.project": stack.name,
            "com.docker.compose.project.working_dir": str(stack),
        }
        self._network = NETWORK if network else "none"

    def start(self, *options: str) -> None:
        """Make it, start it, and wait until it takes connections; `options` are for the server."""
        reference = imported(self.flavour)
        command = ["run", "--detach", "--name", self.name, "--network", self._network]
        for key, value in self._labels.items():
            command += ["--label", f"{key}={value}"]
        environment = {"MYSQL_ROOT_PASSWORD": ROOT_PASSWORD, **self.environment}
        for key, value in environment.items():
            command += ["--env", f"{key}={value}"]
        server = "mysqld" if self.vendor == "mysql" else "mariadbd"
        docker(*command, reference, server, "--innodb-buffer-pool-size=64M", *options)
        # Whoever asks again and again, of a server that is starting, takes the time that it needs.
        up = lambda: not self.is_running() or self._load(b"SELECT 1").returncode == 0  # noqa: E731
        wait_until(up, self.log, every_seconds=0.2)
        assert self.is_running(), self.log()

    def is_running(self) -> bool:
        """Return whether it runs."""
        return docker("inspect", "--format", "{{.State.Running}}", self.name, check=False) == "true"

    def log(self) -> str:
        """Return the end of what it said."""
        done = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr)[-3000:]

    def remove(self) -> None:
        """Remove it with its data."""
        docker("rm", "--force", "--volumes", self.name, check=False)

    @property
    def address(self) -> str:
        """Return its address in the stack's network."""
        return docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.name)

    def sql(self, statements: str, schema: str | None = None) -> list[list[str]]:
        """Run statements as root and return all rows, fields as text."""
        done = self._load(statements.encode(), schema)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return [line.split("\t") for line in done.stdout.decode(errors="surrogateescape").splitlines()]

    def user(self, name: str, password: str, *grants: str) -> None:
        """Make a user for all hosts; `grants` are what stands between GRANT and TO."""
        account = f"{sql_text(name)}@'%'"
        statements = [f"CREATE USER {account} IDENTIFIED BY {sql_text(password)}"]
        self.sql(";\n".join(statements + [f"GRANT {grant} TO {account}" for grant in grants]))

    def _load(self, statements: bytes, schema: str | None = None) -> subprocess.CompletedProcess[bytes]:
        program = "mysql" if self.vendor == "mysql" else "mariadb"
        command = ["docker", "exec", "--interactive", "--env", f"MYSQL_PWD={ROOT_PASSWORD}", self.name, program]
        command += ["--user=root", "--batch", "--skip-column-names", "--default-character-set=utf8mb4"]
        command += [schema] if schema else []
        return subprocess.run(command, input=statements, capture_output=True, check=False)


@contextmanager
def internal_network() -> Iterator[str]:
    """Make the network that containers with `network` are in, as a stack's internal one: no way out, nothing in."""
    docker("network", "create", "--internal", NETWORK)
    try:
        yield NETWORK
    finally:
        docker("network", "rm", NETWORK, check=False)


@contextmanager
def container(
    flavour: str, stack: Path, options: Sequence[str] = (), *, network: bool = False
) -> Iterator[DatabaseContainer]:
    """Run a database container as long as the block lasts."""
    made = DatabaseContainer(flavour, stack, network=network)
    made.remove()
    try:
        made.start(*options)
        yield made
    finally:
        made.remove()
