"""What Docker prints is read, and what could be a secret is not shown; a real one is asked by tests/integration."""

from __future__ import annotations

import json

import pytest

from tracker_backup.containers.inventory import ContainerMount, StackContainer, parse_containers, parse_volumes
from tracker_backup.errors import CommandError

VOLUME = {"Type": "volume", "Name": "data", "Source": "/x", "Destination": "/data", "Driver": "local", "RW": False}
BIND = {"Type": "bind", "Source": "/srv", "Destination": "/srv", "RW": True}


def test_containers_are_read_line_by_line() -> None:
    rows = [
        ["2026-11-23T03:00:00Z", "live", "tracker", "/opt/a,b", "/opt/a,b/c.yaml", "", "False", [VOLUME, BIND]],
        ["2026-11-23T03:00:01Z", "live", "tracker", "/opt", "", "", "True", None],
    ]
    first, second = parse_containers("\n".join(map(json.dumps, rows)))
    assert first == StackContainer(
        *("live", "tracker", "/opt/a,b", "/opt/a,b/c.yaml", "", "2026-11-23T03:00:00Z"),
        volumes=(ContainerMount("data", "/data", read_only=True),),
    )
    assert (second.one_off, second.volumes) == (True, ())


def test_volumes_are_read_by_name_and_keep_their_options_to_themselves() -> None:
    rows = [["a", "local", "/v/a/_data", None], ["b", "local", "/v/b/_data", {"o": "password=canary"}]]
    found = parse_volumes("\n".join(map(json.dumps, rows)))
    assert [facts.mountpoint for facts in found.values()] == ["/v/a/_data", "/v/b/_data"]
    assert found["b"].options == {"o": "password=canary"}
    assert "canary" not in repr(found)


@pytest.mark.parametrize("listed", ["canary", "[1]", '{"canary": 1}', "[[]]"])
def test_what_cannot_be_understood_is_an_error_that_does_not_show_it(listed: str) -> None:
    for parse in (parse_containers, parse_volumes):
        with pytest.raises(CommandError, match="cannot be understood") as error:
            parse(listed)
        assert "canary" not in f"{error.value}{error.value.__cause__}"
