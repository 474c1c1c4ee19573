"""Standard streams that can be written to, whatever the caller has done to them."""

from __future__ import annotations

import contextlib
import io
import os
import sys

from tracker_backup.system.text import visible


def prepare() -> None:
    """Put the null device where a stream is closed, and let no character be one that cannot be written."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # Left closed, the next file that is opened, an artifact perhaps, would be what messages are written to.
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor, for good
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as above
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # By lines, so that results and progress stand in the order in which they came, in a pipe too.
            stream.reconfigure(errors="backslashreplace", line_buffering=True)


def complain(text: str) -> None:
    """Say on stderr what is wrong; that nobody reads there changes nothing about what is done next."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"tracker-backup: {visible(text, indented='  ')}\n")


def flush() -> bool:
    """Write what is left; return False where it could not be written, a full disk perhaps.

    A reader who has seen enough is no error, now or at the interpreter's end.
    """
    written = True
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            written = written and isinstance(error, BrokenPipeError)
    return written
