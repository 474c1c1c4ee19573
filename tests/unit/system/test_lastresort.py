"""How long a run may clear up behind itself; one that hears nothing is tests/faults/test_no_answer.py's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
IMPATIENT = """
import os, signal, sys, time
sys.path.insert(0, sys.argv[1])
from tracker_backup.errors import DeadlineError, TerminatedError
from tracker_backup.system import lastresort
from tracker_backup.system.signals import raise_on_signals, time_limit
lastresort.PATIENCE_SECONDS, lastresort.CLEANINGS = 0.2, 2
lastresort.watch()
raise_on_signals()
"""
TOO_LONG = """
with time_limit(0.05):
    try:
        time.sleep(60)
    finally:
        time.sleep(60)
"""
SIGNALLED = """
try:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
finally:
    time.sleep(60)
"""
ANOTHER_JOB = """
try:
    with time_limit(0.05):
        time.sleep(60)
except DeadlineError:
    time.sleep(2)
    print("the next job has been run")
"""


def ended(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script that is as impatient as this test."""
    command = ["env", "--default-signal=TERM,ALRM", sys.executable, "-I", "-c", IMPATIENT + script, str(SCRIPTS)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("script", "code", "why"),
    [(TOO_LONG, 1, "max_run_seconds have passed"), (SIGNALLED, 143, "SIGTERM has come")],
    ids=["limit", "signal"],
)
def test_a_clean_up_that_does_not_end_is_ended(script: str, code: int, why: str) -> None:
    done = ended(script)

    assert done.returncode == code, done.stderr
    assert f"{why}, and for 0.4 s nothing could be done about it" in done.stderr


def test_a_run_that_was_too_long_costs_the_next_job_nothing() -> None:
    """The jobs that are due are run by one process, one after the other; nobody is clearing up any more."""
    done = ended(ANOTHER_JOB)

    assert (done.returncode, done.stdout, done.stderr) == (0, "the next job has been run\n", "")
