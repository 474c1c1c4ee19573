"""Writes what happens to the log and the journal, and passes it on."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from tracker_backup.system.logs import LOGGER, tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker_backup.report.reporter import Reporter


class LoggedReporter:
    """A reporter in front of another one; each phase is one line with its seconds and bytes."""

    def __init__(self, inner: Reporter, on_phase: Callable[[str], None]) -> None:
        """Keep the reporter that people see, and who else wants to know the phase."""
        self._inner = inner
        self._on_phase = on_phase
        self._phase: tuple[str, str | None] | None = None
        self._began = 0.0
        self._done = 0

    def phase(self, name: str, source: str | None = None) -> None:
        """Log the phase that has ended."""
        self.close()
        self._phase, self._began, self._done = (name, source), time.monotonic(), 0
        self._on_phase(f"{name} {source}" if source else name)
        self._inner.phase(name, source)

    def ended(self, seconds: float) -> None:
        """Log the phase with the seconds that the manifest has, and pass on."""
        self._log(seconds)
        self._inner.ended(seconds)

    def progress(self, done: int, total: int) -> None:
        """Pass on."""
        self._done = done
        self._inner.progress(done, total)

    def note(self, text: str) -> None:
        """Log and pass on."""
        LOGGER.info("%s", text)
        self._inner.note(text)

    def warn(self, text: str) -> None:
        """Log and pass on."""
        LOGGER.warning("%s", text)
        self._inner.warn(text)

    def hold(self) -> None:
        """Log the phase that has ended, and pass on."""
        self.close()
        self._inner.hold()

    def close(self) -> None:
        """Log the last phase."""
        self._log(time.monotonic() - self._began)

    def _log(self, seconds: float) -> None:
        if self._phase is None:
            return
        name, source = self._phase
        self._phase = None
        facts: dict[str, str | float] = {"phase": name.replace(" ", "-"), **({"source": source} if source else {})}
        facts |= {"seconds": round(seconds, 3), **({"bytes": self._done} if self._done else {})}
        tell(logging.INFO, **facts)
