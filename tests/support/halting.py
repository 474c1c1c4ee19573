"""Run the program such that the child process of one phase stands still from its start: halting.py PHASE FILE ARGS...

PHASE is `compress`, `check` or `read back`. The child is stopped with SIGSTOP as soon as it runs, and its process id is
written to FILE; everything else is the program as it is. Whoever started this decides what happens next.
"""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from tracker_backup.cli import main
from tracker_backup.system import stream

SIGNS = {"compress": "--stream-size", "check": "check_child.py", "read back": "-d"}


def halt(phase: str, told: Path) -> None:
    """Let the first child of a phase be stopped when it has been started."""
    start = stream.Child.__init__

    def start_halted(self: stream.Child, argv: list[str], **options: bool) -> None:
        start(self, argv, **options)
        if any(SIGNS[phase] in word for word in argv) and not told.exists():
            os.kill(self._process.pid, signal.SIGSTOP)
            unfinished = told.with_name(told.name + ".new")
            unfinished.write_text(str(self._process.pid), encoding="ascii")
            unfinished.rename(told)

    stream.Child.__init__ = start_halted  # type: ignore[method-assign]


if __name__ == "__main__":
    halt(sys.argv[1], Path(sys.argv[2]))
    del sys.argv[1:3]
    sys.exit(main())
