"""Signals and the run's alarm become exceptions, so that every way out cleans up."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker_backup.errors import DeadlineError, TerminatedError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from types import FrameType

_STOPPING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


@dataclass
class _Hold:
    """Whether a signal is to wait, and the one that does."""

    on: bool = False
    heard: TerminatedError | None = None


_HOLD = _Hold()


def raise_on_signals() -> None:
    """Let SIGHUP, SIGINT and SIGTERM raise TerminatedError, once: a second one must not disturb the cleaning up.

    What we were started to ignore stays ignored: `nohup` would be of no use otherwise.
    """
    for number in _STOPPING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _terminate)


@contextmanager
def held_back() -> Iterator[None]:
    """Let a signal that comes during the block raise at its end.

    In a fork Python runs functions, those of `logging` for one, whose exceptions it prints and drops: the signal would
    be lost, and as there is no second one, nothing could end the program any more.
    """
    _HOLD.on = True
    try:
        yield
    finally:
        _HOLD.on = False
        heard, _HOLD.heard = _HOLD.heard, None
        if heard is not None:
            raise heard


def ignore_signals() -> None:
    """Ignore SIGHUP, SIGINT and SIGTERM from now on."""
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)


def start_undisturbed(thread: threading.Thread) -> None:
    """Start a thread; a signal that comes meanwhile is heard once it runs.

    Otherwise the exception could leave a thread that is known but was never started, and cannot be joined. The
    thread itself hears none of these signals, so that they reach the main thread at once.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*_STOPPING, signal.SIGALRM})
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise DeadlineError in the main thread when the block takes longer than `seconds`, whatever it waits for."""

    def expire(_number: int, _frame: FrameType | None) -> None:
        raise DeadlineError(
            f"the run took longer than max_run_seconds ({seconds:g} s) and was given up",
            hint="raise max_run_seconds, or look at what holds it up in the log",
        )

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _terminate(number: int, _frame: FrameType | None) -> None:
    for other in _STOPPING:
        signal.signal(other, signal.SIG_IGN)
    error = TerminatedError(number, signal.Signals(number).name)
    if not _HOLD.on:
        raise error
    _HOLD.heard = error
