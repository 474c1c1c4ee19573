"""Signals and the alarm become exceptions; what they do to a whole run is tested in tests/integration/run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tracker_backup.errors import DeadlineError
from tracker_backup.system.signals import time_limit

SCENARIOS = Path(__file__).resolve().parents[2] / "support" / "process_scenarios.py"
TWICE = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from tracker_backup.errors import TerminatedError
from tracker_backup.system.signals import raise_on_signals
raise_on_signals()
try:
    os.kill(os.getpid(), signal.SIGTERM)
except TerminatedError as error:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(os.getpid(), number)
    print(error.exit_code, "cleaned up")
"""


IN_THE_FORK = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from tracker_backup.errors import TerminatedError
from tracker_backup.system.process import run
from tracker_backup.system.signals import raise_on_signals
raise_on_signals()
os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGTERM))
try:
    run(["sleep", "60"], timeout_seconds=90)
except TerminatedError as error:
    print(error.exit_code, "heard")
"""


WHILE_THE_END_IS_TOLD = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from tracker_backup.cli import main, streams
streams.complain = lambda text: os.kill(os.getpid(), signal.SIGTERM)
sys.exit(main(["list", "--config", "/nowhere/default.yml"]))
"""


WHILE_A_CLASS_IS_MADE = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from types import SimpleNamespace
from tracker_backup.cli import arguments, main

class Field:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), signal.SIGTERM)

def make(_arguments=None):
    type("Made", (), {"field": Field()})

arguments.parse_arguments = lambda words: make() if words == ["parse"] else SimpleNamespace(command=make, verbose=True)
sys.exit(main([sys.argv[2]]))
"""


def test_what_is_ignored_from_the_start_stays_so() -> None:
    """nohup means: go on when the terminal closes."""
    done = subprocess.run([sys.executable, "-I", str(SCENARIOS), "hung up"], capture_output=True, check=True)

    assert json.loads(done.stdout) == [True, True]


def test_a_second_signal_does_not_disturb_the_cleaning_up() -> None:
    scripts = Path(__file__).resolve().parents[3] / "scripts"
    command = ["env", "--default-signal=HUP,INT,TERM", sys.executable, "-I", "-c", TWICE, str(scripts)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "143 cleaned up\n", "")


def test_a_signal_is_heard_that_comes_while_a_command_is_started() -> None:
    """Python drops what is raised in the functions that it runs around a fork; there was no second signal then."""
    package = str(Path(__file__).resolve().parents[3] / "scripts")
    done = subprocess.run(
        [sys.executable, "-I", "-c", IN_THE_FORK, package], capture_output=True, text=True, check=True
    )

    assert done.stdout == "143 heard\n"


def test_a_signal_while_the_end_is_told_is_no_internal_error() -> None:
    """An error's last words may wait for whoever reads them."""
    package = str(Path(__file__).resolve().parents[3] / "scripts")
    command = ["env", "--default-signal=HUP,INT,TERM", sys.executable, "-I", "-c", WHILE_THE_END_IS_TOLD, package]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (143, "", "")


def test_a_block_that_takes_too_long_is_ended() -> None:
    before = signal.getsignal(signal.SIGALRM)

    with pytest.raises(DeadlineError, match=r"longer than max_run_seconds \(0\.05 s\)"), time_limit(0.05):
        time.sleep(600)

    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_block_that_ends_in_time_leaves_no_alarm() -> None:
    with time_limit(60):
        pass

    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("when", ["parse", "command"])
def test_a_signal_while_a_class_is_made_is_no_internal_error(when: str) -> None:
    """Python 3.11 makes a RuntimeError of whatever is raised then, as in the midst of an import."""
    package = str(Path(__file__).resolve().parents[3] / "scripts")
    command = ["env", "--default-signal=HUP,INT,TERM", sys.executable, "-I", "-c", WHILE_A_CLASS_IS_MADE, package, when]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 128 + signal.SIGTERM, done
    assert "internal error" not in done.stderr
    assert "Traceback" not in done.stderr
