from __future__ import annotations

import pytest

from tracker_backup.compose.model import Service
from tracker_backup.stack.databaseurl import ServerAddress
from tracker_backup.stack.endpoint import Endpoint, endpoint_of, server_of

TRACKER = Service("tracker", links={"linked": "two"})
SERVICES = (
    TRACKER,
    Service("one", container_name="torrust-mysql", hostname="db-host"),
    Service("two", aliases=("database", "db-host")),
    Service("database-three", hostname="one"),
)


@pytest.mark.parametrize(
    ("host", "service"),
    [
        ("one", "one"),
        ("torrust-mysql", "one"),
        ("database", "two"),
        ("db-host", "two"),
        ("linked", "two"),
        ("10.0.0.7", None),
        ("mysql.example", None),
        ("", None),
    ],
)
def test_a_host_s_name_leads_to_a_service(host: str, service: str | None) -> None:
    assert server_of(host, TRACKER, SERVICES) == service


def test_an_endpoint_shows_neither_user_nor_password() -> None:
    endpoint = endpoint_of(ServerAddress("one", 3306, "canary-user", "canary", "live"), TRACKER, SERVICES)
    assert endpoint == Endpoint("one", 3306, "canary-user", "canary", "one")
    assert "canary" not in repr(endpoint)
    assert "one" in repr(endpoint)
