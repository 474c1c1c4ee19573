"""How containers stand is read from what Docker prints; a real one is asked by tests/integration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tracker_backup.containers.standing import ImageFacts, parse_image, parse_standing
from tracker_backup.errors import CommandError

STACK = Path("/opt/torrust")
PORTS = {
    "6969/udp": [{"HostIp": "", "HostPort": "6969"}],
    "80/tcp": [{"HostIp": "::1", "HostPort": "8080"}],
    "1/tcp": None,
}


def row(
    name: str, service: str, directory: str = "/opt/torrust", one_off: str = "False", placement: str | None = None
) -> str:
    state = {"Status": "running", "Health": {"Status": "starting", "Log": ["canary"]} if service == "mysql" else None}
    labels = ["torrust", service, directory, one_off, placement]
    return json.dumps(["id-" + name, "/" + name, state, "always", "image:1", "sha256:a", PORTS, *labels])


def test_containers_of_the_stack_are_read_with_their_ports() -> None:
    ours = row("e", "backup", placement="service")
    listed = "\n".join(
        [row("b", "tracker"), row("a", "mysql"), row("c", "tracker", "/srv"), row("d", "x", one_off="True"), ours]
    )

    mysql, tracker = parse_standing(listed, STACK)

    assert (mysql.service, tracker.service) == ("mysql", "tracker")
    assert (tracker.container, tracker.name, tracker.restart, tracker.at_work) == ("id-b", "b", "always", True)
    assert (mysql.health, tracker.health) == ("starting", "")
    assert tracker.ports == ("0.0.0.0:6969/udp", "::1:8080/tcp")


def test_an_image_is_read() -> None:
    assert parse_image('["sha256:a",null,"amd64",12]') == ImageFacts("sha256:a", (), "amd64", 12)


@pytest.mark.parametrize("listed", ["canary", "[1]", "{}"])
def test_what_cannot_be_understood_is_an_error_that_does_not_show_it(listed: str) -> None:
    with pytest.raises(CommandError, match="cannot be understood") as error:
        parse_standing(listed, STACK)
    assert "canary" not in str(error.value)
    with pytest.raises(CommandError, match="cannot be understood"):
        parse_image(listed)
