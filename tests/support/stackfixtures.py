"""Stacks to discover: those of tests/fixtures/stacks, and ones that a test writes itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tracker_backup.compose import reading
from tracker_backup.errors import CommandError

FIXTURES = Path(__file__).parents[1] / "fixtures" / "stacks"


@pytest.fixture(autouse=True)
def no_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let there be no Docker and no volumes of one, whatever this machine has; return where volumes would lie."""

    def missing() -> str:
        raise CommandError("the program docker is not installed")

    monkeypatch.setattr("tracker_backup.containers.inventory.docker_program", missing)
    monkeypatch.setattr(reading, "DOCKER_CONFIGURATION", tmp_path / "daemon.json")
    monkeypatch.setattr(reading, "DOCKER_ROOT", tmp_path / "docker")
    return tmp_path / "docker" / "volumes"


@pytest.fixture
def stack() -> Callable[[str], Path]:
    """Return the directory of a fixture stack by its name."""

    def find(name: str) -> Path:
        directory = FIXTURES / name
        assert directory.is_dir(), f"no fixture stack {name}"
        return directory

    return find


@pytest.fixture
def write_stack(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    """Write files by their paths into a fresh directory and return it."""

    def write(files: dict[str, str]) -> Path:
        directory = tmp_path / "stack"
        directory.mkdir()
        for name, text in files.items():
            file = directory / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return directory

    return write
