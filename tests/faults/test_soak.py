"""`make soak` in short: backup after backup under writes, each restored and checked, and nothing grows or is left."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.faults import rounds


@pytest.mark.guarantee(1, 4, 6, 16)
def test_backups_in_a_row_under_writes(checkout: Path, tally: Callable[[str, int], None]) -> None:
    """As a program of its own, as its memory is looked at as well."""
    number = rounds(40, short=6)
    path = os.pathsep.join(str(checkout / part) for part in ("tests", "scripts", "tools"))
    done = subprocess.run(
        [sys.executable, "-m", "support.soak", "--rounds", str(number)],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{number} backups one after another" in done.stdout
    assert re.search(r"^\| open files, most at one moment \| [1-9]\d* \| [1-9]\d* \|$", done.stdout, flags=re.MULTILINE)
    tally("backups in a row", number)
