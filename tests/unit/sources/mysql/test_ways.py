"""What clients print is read back exactly; Docker's description of a container is read as far as it is needed."""

from __future__ import annotations

import json

import pytest

from tracker_backup.containers.reachable import parse_reachable
from tracker_backup.errors import CommandError
from tracker_backup.sources.mysql.ways import parse_rows

EVERYWHERE = "0.0.0.0"  # noqa: S104 - read, not listened on
MARK = "tracker-backup-answer\n"


def test_answers_are_told_apart_and_fields_decoded() -> None:
    text = f"{MARK}a\tb\\tc\\nd\\\\e\\0\nNULL\t\n{MARK}{MARK}x\n"

    assert parse_rows(text) == [[("a", "b\tc\nd\\e\0"), ("NULL", "")], [], [("x",)]]


def test_where_a_container_is_reached() -> None:
    settings = {
        "Networks": {"a": {"IPAddress": "172.18.0.2"}, "b": {"IPAddress": ""}},
        "Ports": {
            "3306/tcp": [{"HostIp": EVERYWHERE, "HostPort": "13306"}, {"HostIp": "::", "HostPort": "13306"}],
            "33060/tcp": None,
            "53/udp": [{"HostIp": "", "HostPort": "53"}],
            "80/tcp": [{"HostIp": "127.0.0.2", "HostPort": "8080"}],
        },
    }
    found = parse_reachable(json.dumps([settings, "sha256:abc"]))

    assert found.addresses == ("172.18.0.2",)
    assert found.published == {3306: ("127.0.0.1", 13306), 80: ("127.0.0.2", 8080)}
    assert found.image == "sha256:abc"


def test_a_container_without_a_network() -> None:
    assert parse_reachable('[{"Networks": null, "Ports": {}}, "x"]').addresses == ()


@pytest.mark.parametrize("told", ["", "{}", "[1, 2]", '[{"Ports": {"x/tcp": [{}]}}, ""]', "[]"])
def test_what_docker_never_prints_is_refused(told: str) -> None:
    with pytest.raises(CommandError, match="cannot be understood"):
        parse_reachable(told)
