"""The program's own connection to a server of the tests, without the search for a way."""

from __future__ import annotations

from pathlib import Path

from support.database_servers import ROOT_PASSWORD, Server, client
from tracker_backup.sources.mysql.clients import Client, Clients, client_of
from tracker_backup.sources.mysql.credentials import Credentials
from tracker_backup.sources.mysql.ways import Connection, Way
from tracker_backup.system.process import run


def clients(flavour: str) -> Clients:
    """Return the clients of a flavour as the program would know them."""
    found = client(flavour)
    return Clients(_probed(found.dump[0]), _probed(found.load[0]))


def connection(
    server: Server, flavour: str | None = None, user: str = "root", password: str = ROOT_PASSWORD
) -> Connection:
    """Return a connection through the server's socket, with the clients of its own or of another flavour."""
    place = {"socket": str(server.socket), "protocol": "socket"}
    way = Way("host", f"socket {server.socket}", clients(flavour or server.flavour), place)
    return Connection(way, Credentials(user, password))


def _probed(program: str) -> Client:
    said = run([program, "--version"], timeout_seconds=60).stdout
    described = run([program, "--no-defaults", "--help"], timeout_seconds=60, check=False).stdout
    return client_of(Path(program).name, program, said, described)
