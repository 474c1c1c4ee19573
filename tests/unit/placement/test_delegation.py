"""What a helper of the orchestrator sees, and which commands it carries out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker_backup.cli.arguments import parse_arguments
from tracker_backup.containers.services import Bind, ServiceContainer
from tracker_backup.placement.delegation import is_delegated, mount_option, stack_places

STACK = Path("/opt/torrust")


def container(*sources: str) -> ServiceContainer:
    binds = tuple(Bind(source, "/somewhere") for source in sources)
    return ServiceContainer("0" * 12, "x", "x", "running", binds=binds)


@pytest.mark.parametrize(
    ("words", "delegated"),
    [
        ("--now --job daily", True),
        ("doctor --json", True),
        ("discover", True),
        ("restore latest --in-place", True),
        ("move plan", False),
        ("", False),
        ("status --json", False),
        ("list", False),
        ("verify --all", False),
        ("prune", False),
        ("schedule apply", False),
        ("config check", False),
    ],
)
def test_what_is_about_the_stack_s_data_is_done_by_a_helper(words: str, delegated: bool) -> None:
    arguments = parse_arguments(words.split())

    assert is_delegated(arguments) is delegated


def test_a_helper_sees_the_stack_and_what_its_containers_have_mounted_beside_it() -> None:
    volume = "/var/lib/docker/volumes/torrust_index/_data"
    containers = [
        container("/opt/torrust/storage/tracker", "/srv/certificates", "/var/run/docker.sock"),
        container(volume, "/", "/proc", "/etc/localtime", "/srv/certificates/private"),
    ]

    assert stack_places(STACK, containers) == ["/opt/torrust", "/srv/certificates", volume]


def test_what_the_configuration_names_is_seen_even_where_it_is_the_system_s() -> None:
    """Somebody has asked for it by name; left out, every backup would fail."""
    noted = ["/srv/noted", "/opt/torrust/x", "/etc/ssl/certs", "/run/mysqld/mysqld.sock"]

    assert stack_places(STACK, [], noted) == [
        "/opt/torrust", "/srv/noted", "/etc/ssl/certs", "/run/mysqld/mysqld.sock",
    ]  # fmt: skip


def test_a_name_with_a_comma_is_one_place() -> None:
    assert mount_option("/srv/a,b") == 'type=bind,"source=/srv/a,b","target=/srv/a,b"'
    assert mount_option("/srv/a") == "type=bind,source=/srv/a,target=/srv/a"
