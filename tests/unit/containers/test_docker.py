"""Containers are found by Compose's labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tracker_backup.containers import docker as asking
from tracker_backup.containers.docker import Container, container_state, parse_containers
from tracker_backup.errors import CommandError

if TYPE_CHECKING:
    from conftest import FakeDocker


def line(identifier: str, state: str, name: str, directory: str) -> str:
    """Return a line as docker ps prints it."""
    return json.dumps([identifier, state, name, directory])


def test_only_the_stacks_own_containers_are_found(tmp_path: Path) -> None:
    link = tmp_path / "link"
    stack = tmp_path / 'a "stack"\twith\ttabs'
    stack.mkdir()
    link.symlink_to(stack)
    listed = "\n".join(
        [
            line("1", "running", "here", str(stack)),
            line("2", "exited", "by-a-link", str(link)),
            line("3", "running", "elsewhere", str(tmp_path)),
            line("4", "running", "without-label", ""),
        ]
    )

    assert parse_containers(listed, stack) == [Container("1", "running", "here"), Container("2", "exited", "by-a-link")]


def test_a_container_without_a_directory_is_not_that_of_the_working_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty path means the current directory elsewhere."""
    assert parse_containers(line("1", "running", "x", ""), Path.cwd()) == []


@pytest.mark.parametrize("listed", ["not json", "[1]", "3"])
def test_what_cannot_be_understood_is_an_error(listed: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be understood"):
        parse_containers(listed, tmp_path)


def test_without_docker_the_message_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker_backup.system.process.SYSTEM_PATH", "/nonexistent")

    with pytest.raises(CommandError, match="docker is not installed") as raised:
        asking.service_containers(Path("/opt/torrust"), "tracker")
    assert "apt-get" not in str(raised.value), "there is no Debian package of that name"


def test_a_container_has_a_state_or_is_gone(docker: FakeDocker) -> None:
    assert container_state("one") == "running"
    assert container_state("two") is None


def test_an_engine_that_does_not_answer_has_not_removed_anything(docker: FakeDocker) -> None:
    """Newer clients say `no such file or directory` of the engine's socket."""
    docker.fail("inspect", "dial unix /var/run/docker.sock: connect: no such file or directory")

    with pytest.raises(CommandError, match="no such file"):
        container_state("one")
