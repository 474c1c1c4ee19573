"""Signals and the run's alarm become exceptions, so that every way out cleans up."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tracker_backup.errors import DeadlineError, TerminatedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

STOPPING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
HEARD: list[int] = []
"""The signals that have become exceptions here, for :mod:`tracker_backup.system.lastresort`."""


CLEARING_UP: list[int] = []
"""Those of them whose cleaning up is not over: a run that was too long may be followed by one of another job."""


class _Hold:
    """Whether a signal is to wait, and the one that does; no dataclass, which would be a quarter of `--version`."""

    def __init__(self) -> None:
        self.on = False
        self.heard: TerminatedError | None = None


_HOLD = _Hold()


def raise_on_signals() -> None:
    """Let SIGHUP, SIGINT and SIGTERM raise TerminatedError, once: a second one must not disturb the cleaning up.

    What we were started to ignore stays ignored: `nohup` would be of no use otherwise.
    """
    for number in STOPPING:
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
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def not_suspended() -> Iterator[None]:
    """Let Ctrl-Z do nothing during the block: whoever waits for a lock of ours would wait until `fg` is typed."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may decide about signals
        return
    before = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)


def start_undisturbed(thread: threading.Thread) -> None:
    """Start a thread; a signal that comes meanwhile is heard once it runs.

    Otherwise the exception could leave a thread that is known but was never started, and cannot be joined. The
    thread itself hears none of these signals, so that they reach the main thread at once.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*STOPPING, signal.SIGALRM})
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def time_limit(seconds: float, what: str | None = None) -> Iterator[None]:
    """Raise DeadlineError in the main thread when the block takes longer than `seconds`, whatever it waits for.

    `what` says what took so long; without it, it is the run itself, and its limit that of the configuration.
    """

    def expire(number: int, _frame: FrameType | None) -> None:
        HEARD.append(number)
        CLEARING_UP.append(number)
        if what is not None:
            raise DeadlineError(f"{what} took longer than {seconds:.0f} s and was given up")
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
        CLEARING_UP[:] = [number for number in CLEARING_UP if number != signal.SIGALRM]


def _terminate(number: int, _frame: FrameType | None) -> None:
    HEARD.append(number)
    CLEARING_UP.append(number)
    for other in STOPPING:
        signal.signal(other, signal.SIG_IGN)
    error = TerminatedError(number, signal.Signals(number).name)
    if not _HOLD.on:
        raise error
    _HOLD.heard = error
