"""What is asked of a run, and how it ended; the exit code follows from that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tracker_backup.config.model import MANUAL_JOB
from tracker_backup.errors import CheckFailedError, PartialError, SourceError, SourcePendingError
from tracker_backup.repository.manifest import DAMAGED, FAILED, PENDING, Failure, Manifest
from tracker_backup.system.diskfaults import remedy

if TYPE_CHECKING:
    from datetime import datetime

    from tracker_backup.config.model import Job
    from tracker_backup.sources.interface import Source


@dataclass(frozen=True)
class Request:
    """What is asked of a run; `sources` chooses some by name, which makes it a manual run of no job."""

    job: Job
    sources: tuple[str, ...] | None
    scheduled: bool

    @property
    def job_name(self) -> str:
        """The job that stands in the manifest."""
        return self.job.name if self.sources is None else MANUAL_JOB


@dataclass(frozen=True)
class Start:
    """When a run began, in UTC, and the id that stands in its log and that its backup will have."""

    at: datetime
    id: str


@dataclass(frozen=True)
class Outcome:
    """How a run ended: `published` is its manifest, `quarantined` the set that failed its check.

    `unpruned` says why old backups could not be deleted, `copied` where it was copied to, `uncopied` which
    copies are behind, and why.
    """

    id: str
    published: Manifest | None
    quarantined: Manifest | None = None
    failures: tuple[Failure, ...] = ()
    pruned: tuple[str, ...] = ()
    unpruned: str | None = None
    copied: tuple[str, ...] = ()
    uncopied: tuple[str, ...] = ()

    @property
    def copies_only(self) -> bool:
        """Whether nothing is wrong but copies elsewhere."""
        return bool(self.uncopied) and replace(self, uncopied=()).exit_code == 0

    @property
    def exit_code(self) -> int:
        """0 done, 3 not all of it, or something to look at, 5 nothing published for a failed check, 1 failed."""
        states = {failure.state for failure in self.failures}
        if not states:
            good = self.unpruned is None and not self.uncopied and (self.published is None or self.published.good)
            return 0 if good else PartialError.exit_code
        if self.published is not None or states == {PENDING}:
            return PartialError.exit_code
        return CheckFailedError.exit_code if DAMAGED in states else 1


def failure_of(source: Source, error: Exception, *, may_come: bool) -> Failure:
    """Return what stands in the manifest for a source that failed; `may_come`: it has never been in a backup."""
    if isinstance(error, SourcePendingError) and may_come:
        return Failure(source.name, str(error), PENDING)
    if isinstance(error, OSError):
        told = SourceError(f"{error.strerror}: {error.filename or source.place}", hint=remedy(error))
        return Failure(source.name, str(told), FAILED)
    return Failure(source.name, str(error), DAMAGED if isinstance(error, CheckFailedError) else FAILED)
