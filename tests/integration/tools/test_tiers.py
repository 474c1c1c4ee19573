"""Which tests run when: what is thorough waits for `make faults`, and nothing is marked so that it would never run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest
def test_quick(): pass
@pytest.mark.thorough
@pytest.mark.guarantee(1)
def test_every_instant(): pass
"""
LOST = "import pytest\n@pytest.mark.thorough\ndef test_every_instant(): pass\n"


def collected(checkout: Path, directory: Path, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest over a file with the plugin that tests/conftest.py is."""
    (directory / "test_some.py").write_text(text, encoding="utf-8")
    marks = "-o markers=thorough: x\nguarantee: x"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-v",
        "-p",
        "conftest",
        "-p",
        "no:cacheprovider",
        "-c",
        "/dev/null",
        marks,
    ]
    paths = os.pathsep.join(str(checkout / name) for name in ("tests", "scripts", "tools"))
    return subprocess.run(
        [*command, f"--rootdir={directory}", f"--basetemp={directory / 'its'}", "--noconftest", str(directory)],
        env={**os.environ, "PYTHONPATH": paths, "TRACKER_BACKUP_FAULTS": "", **environment},
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("asked", "passed"), [("", 1), ("full", 2)])
def test_what_is_thorough_runs_where_it_is_asked_for(checkout: Path, tmp_path: Path, asked: str, passed: int) -> None:
    done = collected(checkout, tmp_path, TESTS, TRACKER_BACKUP_FAULTS=asked)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{passed} passed" in done.stdout
    assert ("1 deselected" in done.stdout) == (passed == 1)


def test_what_nothing_would_ever_run_is_an_error(checkout: Path, tmp_path: Path) -> None:
    done = collected(checkout, tmp_path, LOST)

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "nothing would ever run it" in done.stderr
