"""Which clients there are, on the host or in a container: asked, never guessed from a version."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tracker_backup.containers.docker import docker_program
from tracker_backup.errors import CommandError
from tracker_backup.system.process import find_program, run

MYSQL, MARIADB = "MySQL", "MariaDB"
_DUMPS, _QUERIES = ("mysqldump", "mariadb-dump"), ("mysql", "mariadb")
_TIMEOUT_SECONDS = 60
_MARK = "tracker-backup-client "
_SOCKET = "tracker-backup-socket "
# Where the servers' packages and images put it. An image's own my.cnf is not read, and the clients' built-in place is
# not always the one that it names.
_SOCKETS = "/var/run/mysqld/mysqld.sock /var/lib/mysql/mysql.sock /run/mysql/mysql.sock /tmp/mysql.sock"
# In one go: each `docker exec` costs a tenth of a second. Nothing of ours is put into this text.
_ASK_INSIDE = f"""
for socket in {_SOCKETS}; do
  if [ -S "$socket" ]; then echo "{_SOCKET}$socket"; fi
done
for name in {" ".join((*_DUMPS, *_QUERIES))}; do
  path=$(command -v "$name") || continue
  echo "{_MARK}$name $path"
  "$path" --version
  "$path" --no-defaults --help
done
exit 0
"""
_OPTION = re.compile(r"--([a-z0-9][a-z0-9-]+)")


@dataclass(frozen=True)
class Client:
    """A program, of which flavour and version, and the long options that its --help names."""

    name: str
    path: str
    flavour: str
    version: str
    options: frozenset[str]

    def __str__(self) -> str:
        """Return name and version as people know them."""
        return f"{self.name} {self.version} ({self.flavour})"


@dataclass(frozen=True)
class Clients:
    """The programs of one flavour in one place: one dumps, one asks."""

    dump: Client
    query: Client

    @property
    def flavour(self) -> str:
        """`MySQL` or `MariaDB`."""
        return self.dump.flavour


def on_the_host() -> tuple[Clients, ...]:
    """Return the host's clients, at most one pair of each flavour."""
    found: dict[str, Client] = {}
    for name in (*_DUMPS, *_QUERIES):
        path = find_program(name)
        if path is not None:
            found[name] = _probe(name, path, Path(path).stat().st_mtime_ns)
    return pairs(found.values())


@dataclass(frozen=True)
class Inside:
    """What there is in a container: clients, and the server's socket if it has one."""

    clients: tuple[Clients, ...]
    socket: str | None


@cache
def inside(container: str) -> Inside:
    """Return the clients in a container, at most one pair of each flavour; its id stands for one image.

    Raises CommandError when nothing can be run in it.
    """
    command = [docker_program(), "exec", "--user", "0", container, "sh", "-c", _ASK_INSIDE]
    told = run(command, timeout_seconds=_TIMEOUT_SECONDS, check=False)
    if told.exit_code != 0:
        raise CommandError(f"docker exec: {told.stderr.strip()[:300] or f'exit code {told.exit_code}'}")
    sockets = [line.removeprefix(_SOCKET) for line in told.stdout.splitlines() if line.startswith(_SOCKET)]
    return Inside(pairs(parse_answers(told.stdout)), next(iter(sockets), None))


def parse_answers(text: str) -> list[Client]:
    """Read what the programs in a container have said of themselves."""
    found = []
    for part in text.split(_MARK)[1:]:
        head, _, rest = part.partition("\n")
        name, _, path = head.partition(" ")
        said, _, described = rest.partition("\n")
        found.append(client_of(name, path.strip(), said, described))
    return found


def client_of(name: str, path: str, said: str, described: str) -> Client:
    """Return a client from what its --version and its --help have said."""
    flavour = MARIADB if "mariadb" in said.lower() else MYSQL
    # "mysqldump  Ver 9.7.4 for Linux", "Ver 10.13 Distrib 5.7.44", "Ver 10.19 Distrib 10.11.19-MariaDB",
    # "mariadb-dump from 11.8.3-MariaDB, client 10.19"
    patterns = (r"from ([\d.]+)-MariaDB", r"Distrib ([\d.]+)", r"Ver ([\d.]+)")
    version = next((match[1] for pattern in patterns if (match := re.search(pattern, said))), "of unknown version")
    return Client(name, path, flavour, version, frozenset(_OPTION.findall(described)))


def pairs(clients: Iterable[Client]) -> tuple[Clients, ...]:
    """Return for each flavour the program that dumps and the one that asks, where both are there."""
    dumps: dict[str, Client] = {}
    queries: dict[str, Client] = {}
    for client in clients:
        # Where both names are there the second is the flavour's own: mysqldump may be a link that warns.
        (dumps if client.name in _DUMPS else queries)[client.flavour] = client
    return tuple(Clients(dumps[flavour], queries[flavour]) for flavour in dumps if flavour in queries)


def version_numbers(version: str) -> tuple[int, ...]:
    """Return the numbers at the beginning of a version, for comparing."""
    numbers = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in numbers[0].split(".")) if numbers else ()


@cache
def _probe(name: str, path: str, _changed: int) -> Client:
    said = run([path, "--version"], timeout_seconds=_TIMEOUT_SECONDS, check=False)
    described = run([path, "--no-defaults", "--help"], timeout_seconds=_TIMEOUT_SECONDS, check=False)
    return client_of(name, path, said.stdout, described.stdout)
