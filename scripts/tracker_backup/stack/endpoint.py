"""Where a service reaches its MySQL or MariaDB server: host, port, user and password, kept out of every repr."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tracker_backup.compose.model import Service
from tracker_backup.stack.databaseurl import ServerAddress


@dataclass(frozen=True)
class Endpoint:
    """A server as the service that uses it sees it, all values decoded.

    `host` is a name in the containers' networks or an address. `server_service` is the service of the stack that it
    leads to, None where it leads elsewhere. User and password never show in a repr; put them into no message either.
    """

    host: str
    port: int
    user: str = field(repr=False)
    password: str = field(repr=False)
    server_service: str | None = None


def endpoint_of(address: ServerAddress, client: Service, services: Iterable[Service]) -> Endpoint:
    """Return the endpoint that an address means to the service `client` among the stack's `services`."""
    server = server_of(address.host, client, tuple(services))
    return Endpoint(address.host, address.port, address.user, address.password, server)


def server_of(host: str, client: Service, services: Iterable[Service]) -> str | None:
    """Return the service that a host's name means to `client`, None when it is none of them.

    Links of the client come first, then names of services, of containers, aliases in networks, and host names.
    """
    if host in client.links:
        return client.links[host]
    known = tuple(services)
    ways = (
        lambda service: service.name == host,
        lambda service: service.container_name == host,
        lambda service: host in service.aliases,
        lambda service: service.hostname == host,
    )
    found = (service.name for way in ways for service in known if way(service))
    return next(found, None)
