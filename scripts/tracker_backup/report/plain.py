"""A line for each phase, for pipes, logs and cron."""

from __future__ import annotations

import contextlib
import sys
import time

from tracker_backup.system.space import format_bytes
from tracker_backup.system.text import visible


class PlainReporter:
    """Writes a line on stderr when a phase ends, with what it took; results go to stdout, elsewhere."""

    def __init__(self) -> None:
        """Begin without a phase."""
        self._name: str | None = None
        self._began = 0.0
        self._done = 0

    def phase(self, name: str, source: str | None = None) -> None:
        """Finish the line of the phase before, and begin another."""
        self.close()
        self._name = f"{name} {source}" if source else name
        self._began, self._done = time.monotonic(), 0

    def ended(self, seconds: float) -> None:
        """Pass over: the line is written when the next phase begins."""

    def progress(self, done: int, total: int) -> None:  # noqa: ARG002 - the interface's
        """Remember how much is done; a line of its own would be one too many."""
        self._done = done

    def note(self, text: str) -> None:
        """Write a line."""
        self._write(f"note: {text}")

    def warn(self, text: str) -> None:
        """Write a line."""
        self._write(f"warning: {text}")

    def hold(self) -> None:
        """Finish the last line."""
        self.close()

    def close(self) -> None:
        """Finish the last line."""
        if self._name is None:
            return
        seconds = time.monotonic() - self._began
        amount = f"{format_bytes(self._done)} in " if self._done else ""
        self._write(f"{self._name}: {amount}{seconds:.1f} s")
        self._name = None

    def _write(self, text: str) -> None:
        # Whoever read along may have gone; that is no reason for a backup to fail.
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(visible(text, indented="  ") + "\n")
            sys.stderr.flush()
