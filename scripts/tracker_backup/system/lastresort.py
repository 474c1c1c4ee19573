"""The end of a program that no longer hears: its main thread waits in the kernel, and Python can run no handler.

A file system that is gone, a FIFO in a file's place: SQLite asks again whenever a signal interrupts it, and some waits
nothing interrupts. The lock would be held, and the tracker perhaps kept waiting, until somebody sends SIGKILL. A thread
does the same as he would: whoever dies at any instant leaves nothing that the next start does not clear away.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from pathlib import Path

from tracker_backup.errors import TrackerBackupError
from tracker_backup.system.signals import CLEARING_UP, HEARD, STOPPING, start_undisturbed

PATIENCE_SECONDS = 60.0
"""A flush of a large file to a slow disk hears nothing for a while, and ends."""

CLEANINGS = 30
"""How many times as long a run that has heard may take to clear up: to start a stack again may be part of it."""

_LOOK_EVERY_SECONDS = 5.0
_TELLING_SECONDS = 5.0
_ENDING = (*STOPPING, signal.SIGALRM)


def watch() -> None:
    """From now on, end the program when it has not heard of a signal that is to end it for PATIENCE_SECONDS."""
    told, tell = os.pipe()
    for descriptor in (told, tell):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))  # what a child is sent is its own affair
    start_undisturbed(threading.Thread(target=_watch, args=(told,), daemon=True))


def _watch(told: int) -> None:
    come: list[int] = []
    since: float | None = None
    heard: float | None = None
    while True:
        with contextlib.suppress(BlockingIOError):
            if select.select([told], [], [], min(_LOOK_EVERY_SECONDS, PATIENCE_SECONDS))[0]:
                come += os.read(told, 1024)
        number = _unheard(come) or _pending()
        if number is None:
            since = None
        elif since is None:
            since = time.monotonic()
        elif time.monotonic() - since >= PATIENCE_SECONDS:
            _end(number, PATIENCE_SECONDS)
        heard = _end_slow_clean_up(heard)


def _end_slow_clean_up(since: float | None) -> float | None:
    """Return since when a run has been clearing up, None where none is; end one that has been for too long."""
    numbers = [*CLEARING_UP]  # the main thread may be at its end just now
    if not numbers:
        return None
    if since is not None and time.monotonic() - since >= CLEANINGS * PATIENCE_SECONDS:
        _end(numbers[0], CLEANINGS * PATIENCE_SECONDS)
    return time.monotonic() if since is None else since


def _unheard(come: list[int]) -> int | None:
    """Return a signal that has interrupted the main thread, and that it has not heard of."""
    if signal.SIGALRM in come and come.count(signal.SIGALRM) > HEARD.count(signal.SIGALRM):
        return signal.SIGALRM
    stopping = [number for number in come if number in STOPPING]
    return stopping[0] if stopping and not set(HEARD) & set(STOPPING) else None


def _pending() -> int | None:
    """Return a signal that has not even interrupted it: of waits for some file systems only SIGKILL is the end."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(("SigPnd:", "ShdPnd:")):
            mask = int(line.split()[1], 16)
            for number in _ENDING:
                if mask >> (number - 1) & 1:
                    return number
    return None


def _end(number: int, seconds: float) -> None:
    """End the program, told or not: stderr and log may be what it waits for."""
    code = TrackerBackupError.exit_code if number == signal.SIGALRM else 128 + number
    telling = threading.Thread(target=_tell, args=(number, seconds), daemon=True)
    telling.start()
    telling.join(_TELLING_SECONDS)
    os._exit(code)


def _tell(number: int, seconds: float) -> None:
    why = "max_run_seconds have passed" if number == signal.SIGALRM else f"{signal.Signals(number).name} has come"
    said = (
        f"{why}, and for {seconds:g} s nothing could be done about it, as a file system or a device does not "
        "answer: ended at once; the next run clears up"
    )
    with contextlib.suppress(OSError):
        os.write(2, f"tracker-backup: {said}\n".encode())
    from tracker_backup.system.logs import LOGGER

    LOGGER.error("%s", said)
