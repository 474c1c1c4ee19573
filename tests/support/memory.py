"""How much memory a program and its children take for themselves, and how many files they open, while they run."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Self

from support.program import Running


class MemoryWatch:
    """The most anonymous memory that a program and all below it had at one moment, in bytes.

    Pages of files do not count: those the kernel can take back. `most_files` is the most that the program itself had
    open at one moment.
    """

    def __init__(self, running: Running) -> None:
        """Watch with the `with` block."""
        self.most_bytes = 0
        self.most_files = 0
        self._running = running
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            processes = [self._running.pid, *self._running.children()]
            self.most_bytes = max(self.most_bytes, sum(map(anonymous_bytes, processes)))
            self.most_files = max(self.most_files, _open_files(self._running.pid))


def anonymous_bytes(pid: int) -> int:
    """Return how much anonymous memory a process has now, 0 when it has ended."""
    try:
        lines = Path("/proc", str(pid), "status").read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


def _open_files(pid: int) -> int:
    try:
        return sum(1 for _ in Path("/proc", str(pid), "fd").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return 0
