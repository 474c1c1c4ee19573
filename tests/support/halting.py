"""Run the program such that it stands still at one place for as long as it takes: halting.py PHASE FILE ARGUMENT...

PHASE is `compress`, `check` or `read back`, whose child process is stopped with SIGSTOP as soon as it runs; `prepare`,
before it is known what a source will cost; `decided`, when it is; `pause`, when what pauses has been started and
nothing is paused; `copy`, after its first step; or `publish`. The child's process id, or 0, is written to FILE;
everything else is the program as it is. Whoever started this decides what happens next: the child goes on with SIGCONT,
the others when FILE is removed.
"""

import os
import re
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from tracker_backup.cli import main
from tracker_backup.containers.pause import Pause
from tracker_backup.repository.store import Repository
from tracker_backup.sources.sqlite import copy as copying
from tracker_backup.sources.sqlite import driver
from tracker_backup.system import stream

SIGNS = {"compress": r"--stream-size=\d+", "check": r".*/check_child\.py", "read back": "-d"}


def tell(told: Path, pid: int) -> None:
    """Say that the place has been reached."""
    unfinished = told.with_name(told.name + ".new")
    unfinished.write_text(str(pid), encoding="ascii")
    unfinished.rename(told)


def halt_child(sign: str, told: Path) -> None:
    """Let the first child with a word that matches `sign` in its command line be stopped when it has been started."""
    start = stream.Child.__init__

    def start_halted(self: stream.Child, argv: list[str], **options: bool) -> None:
        start(self, argv, **options)
        if any(re.fullmatch(sign, word) for word in argv) and not told.exists():
            os.kill(self._process.pid, signal.SIGSTOP)
            tell(told, self._process.pid)

    stream.Child.__init__ = start_halted  # type: ignore[method-assign]


def hold(told: Path, once: list[bool]) -> None:
    """Stand still, the first time, until whoever started this has seen enough."""
    if not once:
        once.append(True)
        tell(told, 0)
        while told.exists():
            time.sleep(0.01)


def halt_copy(told: Path) -> None:
    """Let the copy stand still after its first step."""
    once: list[bool] = []
    copying.CHUNK_BYTES = copying.LOCKED_CHUNK_BYTES = copying.WATCHED_BYTES = 65536
    after_step = copying._Steps.after_step

    def halt(steps: copying._Steps, done: int, total: int) -> None:
        after_step(steps, done, total)
        hold(told, once)

    copying._Steps.after_step = halt  # type: ignore[method-assign]  # in this process alone


def halt_before(owner: object, name: str, told: Path) -> None:
    """Let a call stand still before it does anything."""
    once: list[bool] = []
    call = getattr(owner, name)

    def held(*arguments: object, **options: object) -> object:
        hold(told, once)
        return call(*arguments, **options)

    setattr(owner, name, held)


CALLS = {
    "prepare": (driver, "gather_facts"),
    "decided": (driver, "_carry_out"),
    "pause": (Pause, "frozen"),
    "publish": (Repository, "publish"),
}


def halt(phase: str, told: Path) -> None:
    """Prepare for the place where it shall stand still."""
    if phase == "copy":
        halt_copy(told)
    elif phase in CALLS:
        halt_before(*CALLS[phase], told)
    else:
        halt_child(SIGNS[phase], told)


if __name__ == "__main__":
    phase, file = sys.argv[1], Path(sys.argv[2])
    halt(phase, file)
    # Its own arguments would be taken from a cleared environment, and with that a test's clock would go.
    sys.exit(main(sys.argv[3:]))
