"""Where a container can be reached from its host, asked anew at every run: addresses change with the container."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tracker_backup.containers.docker import TIMEOUT_SECONDS, docker_program
from tracker_backup.errors import CommandError
from tracker_backup.system.process import run

# Never the whole of it: a container's environment holds passwords.
_FORMAT = "[{{json .NetworkSettings}},{{json .Image}}]"
_ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not listened on


@dataclass(frozen=True)
class Reachable:
    """A container's addresses on its networks, and the host's address and port for each TCP port it publishes.

    `image` is the id of its image.
    """

    addresses: tuple[str, ...]
    published: dict[int, tuple[str, int]]
    image: str


def reachable(identifier: str) -> Reachable:
    """Return where a container can be reached now.

    Raises CommandError when Docker cannot be asked, or the container is gone.
    """
    command = [docker_program(), "inspect", "--type", "container", "--format", _FORMAT, identifier]
    return parse_reachable(run(command, timeout_seconds=TIMEOUT_SECONDS).stdout)


def parse_reachable(told: str) -> Reachable:
    """Read what docker inspect has printed.

    Raises CommandError when it is not what was asked for.
    """
    try:
        settings, image = json.loads(told)
        networks = (settings.get("Networks") or {}).values()
        addresses = tuple(network["IPAddress"] for network in networks if network.get("IPAddress"))
        published = {}
        for port, places in (settings.get("Ports") or {}).items():
            number, _, protocol = port.partition("/")
            if protocol == "tcp" and places:
                address = places[0].get("HostIp", "")
                published[int(number)] = (_ANYWHERE.get(address, address), int(places[0]["HostPort"]))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CommandError(f"docker inspect printed what cannot be understood: {told[:200]!r}") from error
    return Reachable(addresses, published, str(image))
