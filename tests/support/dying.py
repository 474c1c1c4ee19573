"""Run the program and kill it, or send it another signal, at the instant at which it is about to make its Nth change.

Usage: python3 -I dying.py FROM NUMBER SIGNAL ARGUMENT...

FROM is `start`, or `restore`: from where a restore in place has the right to do anything. A change is a rename, a link,
a deletion, a new file or directory, an owner, a mode, a write, a flush to the disk, or the start of another program. A
kill before the next change is one after the last. When there are fewer than NUMBER, it runs to its end. What it
was about to do is said on stderr; for NUMBER 0, which is never reached, how many changes it made.

`TRACKER_BACKUP_TEST_PROGRAMS` may name a directory whose programs are found first.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHANGES = {
    "os.rename", "os.link", "os.symlink", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.chown", "os.setxattr",
    "os.truncate", "subprocess.Popen", "os.posix_spawn", "os.fork",
}  # fmt: skip
# No audit event tells of these.
UNHEARD = ("fsync", "fdatasync", "write", "pwrite")
SIGN = "dying.py: at "
TOLD = "dying.py: changes made: "
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Death:
    """Counts changes, and sends the signal before one of them."""

    def __init__(self, instant: int, number: signal.Signals) -> None:
        """Wait for the change of that number."""
        self._left = instant
        self._process = os.getpid()
        self._number = number
        self._write = os.write

    def watch(self) -> None:
        """Begin to count."""
        for name in UNHEARD:
            setattr(os, name, self._told(name, getattr(os, name)))
        sys.addaudithook(self._hear)

    def tell(self) -> None:
        """Say how many there were, where none was waited for."""
        if self._left <= 0:
            self._write(2, f"{TOLD}{-self._left}\n".encode())

    def _hear(self, event: str, given: tuple[object, ...]) -> None:
        writes = event == "open" and isinstance(given[2], int) and given[2] & _WRITING
        if event in CHANGES or writes:
            self._count(event, given)

    def _told(self, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def told(*given: Any, **named: Any) -> Any:
            self._count(name, given)
            return act(*given, **named)

        return told

    def _count(self, event: str, given: tuple[object, ...]) -> None:
        if os.getpid() != self._process:
            return  # a fork, on its way to becoming another program
        self._left -= 1
        if self._left == 0:
            self._write(2, f"{SIGN}{event} {str(given[0])[:80] if given else ''}\n".encode())
            os.kill(os.getpid(), self._number)


def main(begin: str, death: Death, arguments: list[str]) -> int:
    """Run until that instant."""
    sys.dont_write_bytecode = True
    sys.path[0] = str(Path(__file__).resolve().parents[2] / "scripts")
    from tracker_backup.cli import main as run
    from tracker_backup.inplace.engine import Engine
    from tracker_backup.system import process

    if programs := os.environ.get("TRACKER_BACKUP_TEST_PROGRAMS"):
        process.SYSTEM_PATH = f"{programs}:{process.SYSTEM_PATH}"
    if begin == "start":
        death.watch()
        ended = run(arguments)
        death.tell()
        return ended
    restore = Engine.run

    def restore_watched(engine: Engine) -> object:
        death.watch()
        return restore(engine)

    Engine.run = restore_watched  # type: ignore[method-assign,assignment]
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Death(int(sys.argv[2]), signal.Signals[sys.argv[3]]), sys.argv[4:]))
