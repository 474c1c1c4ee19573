"""What keeps a host from taking a stack in is found before anything changes, with what to do."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from role.playing import ROOT

PROGRAM = ROOT / "playbooks/files/reception.py"
PLENTY = 1 << 60


def load_module() -> ModuleType:
    specification = importlib.util.spec_from_file_location("reception", PROGRAM)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


reception = load_module()


@pytest.fixture
def needs(tmp_path: Path) -> dict[str, Any]:
    """Return what a small stack needs."""
    return {
        "stack": str(tmp_path / "opt/torrust"),
        "project": "torrust",
        "names": ["tracker"],
        "ports": [],
        "architecture": os.uname().machine,
        "local_images": False,
        "state_directory": str(tmp_path / "state"),
        "configuration": str(tmp_path / "default.yml"),
        "room": [{"path": str(tmp_path / "opt/torrust"), "bytes": 1, "what": "the stack"}],
    }


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, str]]:
    """Return what docker says to its commands, by their first word; all is well unless a test changes it."""
    said = {"info": (0, "26.1"), "compose": (0, "2.26"), "ps": (0, "")}
    monkeypatch.setattr(reception, "run", lambda *command: said[command[1]])
    return said


def problems(needs: dict[str, Any]) -> str:
    found: list[str] = reception.look(needs)["problems"]
    return " | ".join(found)


def test_a_bare_host_takes_it_in(needs: dict[str, Any], docker: object) -> None:
    assert problems(needs) == ""


def test_without_docker_it_says_whose_work_that_is(needs: dict[str, Any], docker: dict[str, tuple[int, str]]) -> None:
    docker["info"] = (127, "")
    assert "no Docker on this host. Neither the role nor this playbook installs Docker" in problems(needs)
    docker["info"] = (1, "permission denied")
    assert "does not answer: permission denied" in problems(needs)
    docker.update(info=(0, ""), compose=(125, ""))
    assert "no Compose v2" in problems(needs)


def test_what_is_there_already_is_named(needs: dict[str, Any], docker: dict[str, tuple[int, str]]) -> None:
    (Path(needs["stack"]) / "storage").mkdir(parents=True)
    docker["ps"] = (0, "tracker\telsewhere\nother\ttorrust\nmine\t")
    Path(needs["configuration"]).write_text("stack: /srv/other\n")

    said = problems(needs)

    assert f"something in {needs['stack']} already" in said
    assert "of that project: other, tracker:" in said
    assert "is about another stack" in said


def test_what_an_earlier_try_has_left_is_no_problem(needs: dict[str, Any], docker: dict[str, tuple[int, str]]) -> None:
    (Path(needs["stack"]) / "storage").mkdir(parents=True)
    Path(needs["state_directory"]).mkdir()
    note = {"backup": "id", "step": "placed", "services": []}
    (Path(needs["state_directory"]) / "arriving.json").write_text(json.dumps(note))
    docker["ps"] = (0, "tracker\ttorrust")
    needs["room"][0]["bytes"] = PLENTY

    found = reception.look(needs)

    assert found["problems"] == []
    assert found["arrived"] == note


def test_ports_and_room_and_architecture_are_looked_at(needs: dict[str, Any], docker: object) -> None:
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(("127.0.0.1", 0))
        taken = [f"127.0.0.1:{tcp.getsockname()[1]}/tcp", f"127.0.0.1:{udp.getsockname()[1]}/udp"]
        needs.update(ports=[*taken, "203.0.113.7:6969/udp"], architecture="riscv64", local_images=True)
        needs["room"].append({"path": needs["stack"], "bytes": PLENTY, "what": "images"})

        said = problems(needs)

    assert f"ports are in use: {', '.join(taken)}:" in said
    assert "the old one riscv64" in said
    assert "MiB are needed at" in said


def test_it_runs_with_nothing_but_python(needs: dict[str, Any]) -> None:
    done = subprocess.run(
        [sys.executable, "-I", str(PROGRAM), json.dumps(needs)], capture_output=True, text=True, check=True
    )

    assert set(json.loads(done.stdout)) == {"problems", "arrived", "host", "architecture"}
