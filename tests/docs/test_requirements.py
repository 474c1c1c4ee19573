"""The pins: what the project promises to need, each to the last version, and what is installed."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import pytest

from support.documents import ROOT

PIN = re.compile(r"^([A-Za-z0-9_.-]+)==(\S+)$")


def lines(file: Path) -> list[str]:
    """Return what a requirements file asks for, without comments."""
    return [line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def test_requirements_are_these_five() -> None:
    names = {line.split("==")[0] for line in lines(ROOT / "requirements.txt")}

    assert names == {"ansible-core", "molecule", "pytest", "python-crontab", "sh"}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_everything_is_pinned_and_installed_as_pinned(name: str) -> None:
    wanted = [line for line in lines(ROOT / name) if line != "-r requirements.txt"]
    pins = [PIN.match(line) for line in wanted]

    assert [line for line, pin in zip(wanted, pins, strict=True) if pin is None] == []
    assert {pin[1]: version(pin[1]) for pin in pins if pin} == {pin[1]: pin[2] for pin in pins if pin}
