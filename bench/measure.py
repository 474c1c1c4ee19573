"""What a contender costs: seconds, CPU seconds, and the most anonymous memory that all its processes had at once."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.memory import anonymous_bytes

_EVERY_SECONDS = 0.1


@dataclass
class Cost:
    """Filled at the end of its block; `began` and `ended` are of the monotonic clock."""

    began: float = 0.0
    ended: float = 0.0
    cpu_seconds: float = 0.0
    anonymous_bytes: int = 0

    @property
    def seconds(self) -> float:
        """Return how long it took."""
        return self.ended - self.began


@contextmanager
def measured(pid: int, without: Callable[[], Sequence[int]]) -> Iterator[Cost]:
    """Measure what the processes below `pid` cost while the block runs, but for those that `without` names.

    CPU seconds are those of processes that were waited for within the block.
    """
    cost = Cost()
    stop = threading.Event()

    def watch() -> None:
        while True:
            now = sum(map(anonymous_bytes, _below(pid, set(without()))))
            cost.anonymous_bytes = max(cost.anonymous_bytes, now)
            if stop.wait(_EVERY_SECONDS):
                return

    watcher = threading.Thread(target=watch, daemon=True)
    before = children_seconds()
    cost.began = time.monotonic()
    watcher.start()
    try:
        yield cost
    finally:
        cost.ended = time.monotonic()
        cost.cpu_seconds += children_seconds() - before
        stop.set()
        watcher.join()


def children_seconds() -> float:
    """Return the CPU seconds of all processes that this one has waited for, and of those that they have waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def process_seconds(pid: int) -> float:
    """Return the CPU seconds of a running process."""
    fields = Path("/proc", str(pid), "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _below(pid: int, without: set[int]) -> Iterator[int]:
    """Yield the descendants of a process."""
    for children in Path("/proc", str(pid), "task").glob("*/children"):
        try:
            listed = children.read_text(encoding="ascii").split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in map(int, listed):
            if child not in without:
                yield child
                yield from _below(child, without)
