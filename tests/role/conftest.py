"""A clone of the working tree to install and play from."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from role.playing import ROOT, Controller


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with the working tree's files as its only commit."""
    target = tmp_path_factory.mktemp("source") / "tracker-backup"
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org"]
    listed = subprocess.run(
        [*git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, listed):
        if os.path.lexists(ROOT / name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "The working tree"]):
        subprocess.run([*git, *command], cwd=target, check=True)
    return target


@pytest.fixture
def controller(clone: Path, tmp_path: Path) -> Controller:
    """Return a controller without hosts."""
    return Controller(clone, tmp_path)
