"""The checks of a dump that is read back: the quick one always, the restore check where there is evidence for it."""

from __future__ import annotations

from tracker_backup.sources.interface import CheckResult, CopyContext
from tracker_backup.sources.mysql.check import DumpCheck
from tracker_backup.sources.mysql.proof import Evidence
from tracker_backup.sources.mysql.prover import owner_of
from tracker_backup.sources.mysql.restorecheck import RESTORE, RestoreCheck

_DIRECTORY = "trial"


class DumpChecks:
    """Feeds one stream to both."""

    def __init__(
        self,
        quick: DumpCheck,
        evidence: Evidence | None = None,
        why_not: str | None = None,
        context: CopyContext | None = None,
    ) -> None:
        """Start the throw-away server, where there is evidence; `why_not` says why there is none though it is due."""
        self._quick = quick
        self._why_not = why_not
        self._restore: RestoreCheck | None = None
        if evidence is not None and context is not None:
            place = context.directory / _DIRECTORY
            self._restore = RestoreCheck(evidence, place, owner_of(context), deadline=context.deadline)

    def feed(self, block: bytes) -> None:
        """Take the next block."""
        self._quick.feed(block)
        if self._restore is not None:
            self._restore.feed(block)

    def results(self) -> tuple[CheckResult, ...]:
        """Return what was found, after the last block."""
        quick = self._quick.result()
        if self._restore is not None:
            return quick, self._restore.result()
        if self._why_not is not None:
            return quick, CheckResult(RESTORE, None, 0.0, (f"not tried: {self._why_not}",))
        return (quick,)

    def abandon(self) -> None:
        """End what runs."""
        if self._restore is not None:
            self._restore.abandon()
