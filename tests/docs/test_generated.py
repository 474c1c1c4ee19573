"""Documents that a tool writes say what the tool would write today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("tool", ["config_docs.py", "cli_docs.py", "role_readme.py", "guarantees.py"])
def test_a_generated_document_is_current(checkout: Path, tool: str) -> None:
    done = subprocess.run(
        [sys.executable, checkout / "tools" / tool, "--check"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "")
