"""A program that is not to outlive whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.program import is_running, wait_until
from tracker_backup.system import orphan

pytestmark = pytest.mark.guarantee(16)
PROGRAM = Path(orphan.__file__)

STARTING = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-I", sys.argv[1], str(os.getpid()), "/bin/sleep", "600"])
print(child.pid, flush=True)
child.wait()
"""


def test_it_dies_with_whoever_started_it() -> None:
    parent = subprocess.Popen([sys.executable, "-c", STARTING, PROGRAM], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
        wait_until(lambda: Path(f"/proc/{child}/comm").read_text() == "sleep\n", lambda: "it never became sleep")
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    wait_until(lambda: not is_running(child), lambda: "it goes on alone")


def test_it_does_not_begin_where_that_is_gone_already(tmp_path: Path) -> None:
    gone = subprocess.run(["/bin/sh", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout.strip()
    begun = tmp_path / "begun"
    done = subprocess.run(
        [sys.executable, "-I", PROGRAM, gone, "/usr/bin/touch", begun], capture_output=True, text=True, check=False
    )
    assert (done.returncode, begun.exists()) == (1, False)
    assert f"process {gone}" in done.stderr
    assert os.getpid() != int(gone)
