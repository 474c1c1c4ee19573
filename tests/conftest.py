"""What all tests share: an environment that does not depend on who runs them, and where things are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

ROOT = Path(__file__).resolve().parent.parent

set_hypothesis_home_dir(ROOT / ".cache" / "hypothesis")
# A loaded machine is slow, that is no failure.
settings.register_profile("tracker-backup", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("tracker-backup")


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the settings that a developer's shell may carry, and give Ansible what it insists on."""
    for name in ("TRACKER_BACKUP_CONFIG_DIRECTORY", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TZ"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("ANSIBLE_HOME", str(ROOT / ".cache" / "ansible"))


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Return the top directory of the checkout."""
    return ROOT
