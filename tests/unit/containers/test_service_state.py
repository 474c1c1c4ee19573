"""What a service's containers do decides whether it can be paused, need not be, or must not be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker_backup.containers.docker import Container
from tracker_backup.errors import CommandError
from tracker_backup.sources.sqlite import facts
from tracker_backup.sources.sqlite.facts import service_state
from tracker_backup.sources.sqlite.strategy import RUNNING, STOPPED

STACK = Path("/opt/torrust")


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["running"], RUNNING),
        (["exited", "running"], RUNNING),
        (["paused", "running"], RUNNING),
        (["exited"], STOPPED),
        (["created", "dead", "removing"], STOPPED),
        (["paused"], STOPPED),
    ],
    ids=" ".join,
)
def test_the_state_of_a_service(monkeypatch: pytest.MonkeyPatch, states: list[str], expected: str) -> None:
    """Paused by somebody else is as good as stopped: it does not wait, and is not ours to thaw."""
    containers = [Container(str(number), state, "tracker") for number, state in enumerate(states)]
    monkeypatch.setattr(facts, "service_containers", lambda _stack, _service: containers)

    assert service_state(STACK, "tracker") == expected


def test_one_that_restarts_may_be_back_at_any_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    containers = [Container("1", "restarting", "tracker-1")]
    monkeypatch.setattr(facts, "service_containers", lambda _stack, _service: containers)

    assert "docker logs tracker-1" in service_state(STACK, "tracker")


def test_why_nobody_knows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_stack: Path, _service: str) -> list[Container]:
        raise CommandError("docker exited with 1: Cannot connect to the Docker daemon")

    monkeypatch.setattr(facts, "service_containers", fail)
    assert "Cannot connect" in service_state(STACK, "tracker")

    monkeypatch.setattr(facts, "service_containers", lambda _stack, _service: [])
    assert "no container of service tracker" in service_state(STACK, "tracker")
    assert "does not say which service" in service_state(STACK, None)
