"""What Docker says of a stack's containers, and what follows from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tracker_backup.containers.services import Bind, ServiceContainer, _verdict, parse_inspected
from tracker_backup.errors import CommandError

RUNNING = ServiceContainer("0123", "tracker-1", "tracker", "running", started_at="then")


def printed(**changes: Any) -> str:
    facts: dict[str, Any] = {
        "id": "0123",
        "name": "/tracker-1",
        "service": "tracker",
        "directory": "/opt/torrust",
        "state": "running",
        "started": "then",
        "exit": 0,
        "health": None,
        "stop": None,
        "check": None,
        "mounts": [{"Source": "/opt/torrust/data", "Destination": "/data", "RW": True}, {"Destination": "/tmp"}],
        "passing": False,
    }
    return json.dumps(list({**facts, **changes}.values())) + "\n"


def test_a_container_is_read() -> None:
    [(directory, container)] = parse_inspected(printed(stop=90, health="healthy"))

    assert directory == "/opt/torrust"
    assert container.name == "tracker-1"
    assert container.stop_seconds == 90
    assert container.health == "healthy"
    assert not container.passing
    assert container.binds == (Bind("/opt/torrust/data", "/data"),)


def test_a_health_check_has_the_time_that_it_needs_and_docker_s_defaults() -> None:
    second = 10**9
    check = {"Interval": 2 * second, "Timeout": second, "Retries": 5, "StartPeriod": 100 * second}
    [(_, slow)] = parse_inspected(printed(check=check))
    [(_, default)] = parse_inspected(printed(check={}))

    assert slow.health_seconds >= 100 + 5 * 3
    assert default.health_seconds >= 3 * 60


@pytest.mark.parametrize("text", ["x", "{}", "[1, 2]", "7"])
def test_what_cannot_be_understood_is_an_error(text: str) -> None:
    with pytest.raises(CommandError, match="cannot be understood"):
        parse_inspected(text)


@pytest.mark.parametrize(
    ("changes", "waited", "verdict"),
    [
        ({}, 1.0, None),
        ({}, 3.0, ""),
        ({"health": "starting"}, 3.0, None),
        ({"health": "starting"}, 1.0, None),
        ({"health": "healthy"}, 0.0, ""),
        ({"health": "unhealthy"}, 0.0, "is unhealthy, says its health check"),
        ({"health": "starting", "health_seconds": 10.0}, 11.0, "is not healthy after 11 s"),
        ({"state": "exited", "exit_code": 7}, 0.0, "has ended, with exit code 7"),
        ({"state": "restarting"}, 0.0, "ends and is started again and again"),
        ({"started_at": "later"}, 9.0, "ends and is started again and again"),
    ],
)
def test_when_a_container_is_well(changes: dict[str, Any], waited: float, verdict: str | None) -> None:
    container = replace(RUNNING, **{"health_seconds": 100.0, **changes})

    assert _verdict(container, "then", waited) == verdict


def test_who_sees_a_file(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    file = data / "tracker.db"
    (tmp_path / "link").symlink_to(data)

    def seen_through(source: Path) -> bool:
        return replace(RUNNING, binds=(Bind(str(source), "/x"),)).sees(str(file))

    assert seen_through(data)
    assert seen_through(tmp_path)
    assert seen_through(tmp_path / "link")
    assert seen_through(file)
    assert not seen_through(tmp_path / "dat")
    assert not seen_through(tmp_path / "data2")
    assert replace(RUNNING, binds=(Bind(str(file), "/x"),)).single_mount(str(file)) == Bind(str(file), "/x")
    assert replace(RUNNING, binds=(Bind(str(data), "/x"),)).single_mount(str(file)) is None


@pytest.mark.parametrize(("placement", "ours"), [("orchestrator", True), ("", False), (None, False)])
def test_our_own_containers_are_known(placement: str | None, ours: bool) -> None:
    """A restore in place stops whoever uses what it replaces, and not itself."""
    [(_, container)] = parse_inspected(printed(placement=placement))

    assert container.ours is ours
