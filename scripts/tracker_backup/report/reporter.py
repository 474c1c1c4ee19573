"""What a run tells while it works; the core never prints."""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """Receives what happens, in the order in which it happens."""

    def phase(self, name: str, source: str | None = None) -> None:
        """A phase of the run begins, for one source or for the whole run."""

    def ended(self, seconds: float) -> None:
        """The phase is over, after so many seconds; one that is not said to be ends when the next one begins."""

    def progress(self, done: int, total: int) -> None:
        """`done` of `total` bytes of the phase's work are done."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def warn(self, text: str) -> None:
        """Something that needs a person's eye, though the run goes on."""

    def hold(self) -> None:
        """Draw nothing until the next phase: somebody else writes to the terminal."""


class SilentReporter:
    """Tells nobody."""

    def phase(self, name: str, source: str | None = None) -> None:
        """Pass over."""

    def ended(self, seconds: float) -> None:
        """Pass over."""

    def progress(self, done: int, total: int) -> None:
        """Pass over."""

    def note(self, text: str) -> None:
        """Pass over."""

    def warn(self, text: str) -> None:
        """Pass over."""

    def hold(self) -> None:
        """Pass over."""
