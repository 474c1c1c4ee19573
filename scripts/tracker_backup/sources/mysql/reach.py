"""Find the way to a server: all that there are, tried, the most suitable chosen, and the reasons kept for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tracker_backup.containers.docker import RUNNING, Container, service_containers
from tracker_backup.containers.pause import in_helper
from tracker_backup.containers.reachable import Reachable, reachable
from tracker_backup.errors import CommandError, SourceError, SourcePendingError
from tracker_backup.sources.mysql.clients import inside, on_the_host
from tracker_backup.sources.mysql.credentials import Credentials
from tracker_backup.sources.mysql.facts import Facts, Identity, gather, identify
from tracker_backup.sources.mysql.fitness import misfit, rank, why_not_first
from tracker_backup.sources.mysql.target import AUTO, EXEC, HOST, Target, password_of
from tracker_backup.sources.mysql.ways import Connection, ServerRefusalError, Way

_INSTALL = "sudo apt-get install default-mysql-client"


@dataclass(frozen=True)
class Reached:
    """A server that answers, what it said, and why other ways were passed over, a sentence for each."""

    connection: Connection
    facts: Facts
    passed_over: tuple[str, ...] = ()

    @property
    def way(self) -> Way:
        """The way that was chosen."""
        return self.connection.way


@dataclass
class Search:
    """Ways found, in the order to try them in, and why others are none."""

    ways: list[Way] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    never_made: bool = False


def reach(target: Target, stack: Path) -> Reached:
    """Find the best way to a schema's server and ask for what a dump depends on.

    Raises SourceError with every way that was tried and what became of it.
    """
    credentials = Credentials(target.user, password_of(target))
    search = find_ways(target, stack)
    problems = list(search.problems)
    identity: Identity | None = None
    facts: Facts | None = None
    pending = [Connection(way, credentials) for way in search.ways]
    while pending:
        if identity is not None:
            pending = _best_first(pending, identity)
        connection = pending.pop(0)
        try:
            if identity is None:
                identity = identify(connection)
                better = [each for each in pending if _is_better(each, connection, identity)]
                if better:
                    problems.append(f"{connection.way}: {why_not_first(connection.way.clients.dump, identity)}")
                    pending.append(connection)
                    continue
            facts = gather(connection, identity, target.schema)
        except ServerRefusalError as refusal:
            problems.append(refusal.message)
            continue
        unfit = misfit(connection.way.clients.dump, facts)
        if unfit is None:
            return Reached(
                connection, facts, tuple(problem for problem in problems if str(connection.way) not in problem)
            )
        problems.append(f"{connection.way}: {unfit}")
    raise _unreached(target, problems, never_made=search.never_made)


def _best_first(connections: list[Connection], identity: Identity) -> list[Connection]:
    return sorted(connections, key=lambda connection: rank(connection.way.clients.dump, identity))


def _is_better(other: Connection, one: Connection, identity: Identity) -> bool:
    return rank(other.way.clients.dump, identity) < rank(one.way.clients.dump, identity)


def find_ways(target: Target, stack: Path) -> Search:
    """Return the ways to a schema's server, without trying any."""
    search = Search()
    container = None if target.service is None else _container(stack, target.service, search)
    # The orchestrator has no client of its own, unless its base image brings one, and is in none of the networks.
    wanted = EXEC if target.reach == AUTO and container is not None and in_helper() else target.reach
    if wanted in (AUTO, HOST):
        _find_on_host(target, container, search)
    if wanted in (AUTO, EXEC):
        _find_inside(target, container, search)
    return search


def _container(stack: Path, service: str, search: Search) -> Container | None:
    try:
        containers = service_containers(stack, service)
    except CommandError as error:
        search.problems.append(f"service {service}: {error.message}")
        return None
    running = [container for container in containers if container.state == RUNNING]
    search.never_made = not containers
    if not running:
        states = ", ".join(container.state for container in containers) or "there is none"
        search.problems.append(f"service {service} has no running container in {stack} ({states})")
        return None
    return running[0]


def _find_on_host(target: Target, container: Container | None, search: Search) -> None:
    addresses = _addresses(target, container, search)
    if not addresses:
        return
    clients = on_the_host()
    if not clients:
        search.problems.append(f"there is no MySQL or MariaDB client on this host ({_INSTALL})")
    for place, address in addresses:
        search.ways += [Way(HOST, place, pair, address, container) for pair in clients]


def _addresses(target: Target, container: Container | None, search: Search) -> list[tuple[str, dict[str, str]]]:
    """Return the addresses at which the server can be called from the host, each with its description."""
    if target.socket is not None:
        return [(f"socket {target.socket}", {"socket": str(target.socket), "protocol": "socket"})]
    if target.service is None:
        host = target.host or "127.0.0.1"
        return [(f"address {host}:{target.port}", _tcp(host, target.port))]
    if container is None:
        return []
    where = _reachable(container, search)
    if where is None:
        return []
    found = []
    if target.port in where.published:
        host, port = where.published[target.port]
        found.append((f"published port {host}:{port}", _tcp(host, port)))
    found += [(f"container address {host}:{target.port}", _tcp(host, target.port)) for host in where.addresses]
    if not found:
        search.problems.append(f"container {container.name} has neither a published port nor an address on a network")
    return found


def _find_inside(target: Target, container: Container | None, search: Search) -> None:
    if target.service is None:
        if target.reach == EXEC:
            search.problems.append("reach: exec needs the Compose service that runs the server: set `service`")
        return
    if container is None:
        return
    try:
        found = inside(container.id)
    except CommandError as error:
        search.problems.append(f"container {container.name}: {error.message}")
        return
    if not found.clients:
        search.problems.append(f"container {container.name} has no MySQL or MariaDB client in it")
    addresses = [] if found.socket is None else [("its socket", {"socket": found.socket, "protocol": "socket"})]
    addresses.append((f"its port {target.port}", _tcp("127.0.0.1", target.port)))
    # For an account that is confined to the network's addresses.
    where = _reachable(container, search)
    if where is not None:
        addresses += [(f"its address {host}:{target.port}", _tcp(host, target.port)) for host in where.addresses[:1]]
    for place, address in addresses:
        search.ways += [Way(EXEC, f"{container.name}, {place}", pair, address, container) for pair in found.clients]


def _reachable(container: Container, search: Search) -> Reachable | None:
    try:
        return reachable(container.id)
    except CommandError as error:
        search.problems.append(f"container {container.name}: {error.message}")
        return None


def _tcp(host: str, port: int) -> dict[str, str]:
    return {"host": host, "port": str(port), "protocol": "tcp"}


def _unreached(target: Target, problems: list[str], *, never_made: bool) -> SourceError:
    kind = SourcePendingError if never_made else SourceError
    listed = "\n".join(f"    {problem}" for problem in dict.fromkeys(problems))
    return kind(f"no way to {target}:\n{listed}", hint=_hint("\n".join(problems)))


def _hint(problems: str) -> str:
    """Return what to do, by the first of these that was said."""
    for number, hint in _HINTS.items():
        if number in problems:
            return hint
    return "start the server, or see docs/mysql.md, Reach"


_HINTS = {
    "1045": "the user or the password is not the server's: correct what the stack or password_file says",
    "1044": "grant the user its rights in the schema: docs/mysql.md, Rights",
    "1049": "correct the schema's name",
    "no MySQL or MariaDB client": "install the server's own client on the host, or in its container",
    "cannot be loaded": "install MySQL's own client on the host, or use an image that has it",
    "2059": "the client lacks the authentication plugin: use the client inside the container (reach: exec)",
    "2026": "client and server do not agree on TLS: use the client inside the container (reach: exec)",
    "2002": "the server does not run, or its address is another: start it",
    "2003": "the server does not run, or its address is another: start it",
}
