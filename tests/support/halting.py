"""Run the program such that it stands still at one place for as long as it takes: halting.py PHASE FILE ARGUMENT...

PHASE is `compress`, `check` or `read back`, whose child process is stopped with SIGSTOP as soon as it runs, or `copy`,
where the program sleeps after the first step, as its rate limit makes it. The child's process id, or 0, is written to
FILE; everything else is the program as it is. Whoever started this decides what happens next.
"""

import os
import re
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from tracker_backup.cli import main
from tracker_backup.sources.sqlite import copy as copying
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


def halt_copy(told: Path) -> None:
    """Let the copy sleep after its first step."""

    def hold_back(_self: object, _done: int) -> None:
        tell(told, 0)
        time.sleep(600)

    copying.CHUNK_BYTES = copying.LOCKED_CHUNK_BYTES = 65536
    copying._Steps._hold_back = hold_back  # type: ignore[method-assign]


if __name__ == "__main__":
    phase, file = sys.argv[1], Path(sys.argv[2])
    halt_copy(file) if phase == "copy" else halt_child(SIGNS[phase], file)
    del sys.argv[1:3]
    sys.exit(main())
