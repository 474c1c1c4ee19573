"""What became of each copy: a file in the state directory, so that `status` need not ask the other end."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from tracker_backup.system.files import make_public_directory, write_atomically
from tracker_backup.system.records import made

if TYPE_CHECKING:
    from pathlib import Path

    from tracker_backup.config.model import CopySettings

_NAME = "copies.json"


@dataclass(frozen=True)
class CopyNote:
    """Which backup of a job is in a copy, and since when; why the last try failed, None where it did not.

    Times are UTC (RFC 3339). `where` is the place: of another one under the same name nothing is known.
    """

    copy: str
    job: str
    where: str
    backup: str | None = None
    copied_at: str | None = None
    problem: str | None = None


@dataclass(frozen=True)
class CheckNote:
    """When a copy was last checked, and what was wrong then; why what its policy condemns is still there."""

    copy: str
    where: str
    checked_at: str | None = None
    problem: str | None = None
    not_deleted: str | None = None


@dataclass(frozen=True)
class CopyNotes:
    """All of an instance's."""

    jobs: tuple[CopyNote, ...] = ()
    checks: tuple[CheckNote, ...] = ()

    def of(self, settings: CopySettings, job: str) -> CopyNote:
        """Return what is known of a job's copies there."""
        nothing = CopyNote(settings.name, job, place_of(settings))
        known = (each for each in self.jobs if (each.copy, each.job, each.where) == (nothing.copy, job, nothing.where))
        return next(known, nothing)

    def check_of(self, settings: CopySettings) -> CheckNote:
        """Return what is known of a copy's checks."""
        nothing = CheckNote(settings.name, place_of(settings))
        return next((each for each in self.checks if (each.copy, each.where) == (nothing.copy, nothing.where)), nothing)

    def with_note(self, note: CopyNote) -> CopyNotes:
        """Return them with another one of that copy and job."""
        others = [each for each in self.jobs if (each.copy, each.job) != (note.copy, note.job)]
        return replace(self, jobs=(*others, note))

    def with_check(self, note: CheckNote) -> CopyNotes:
        """Return them with another one of that copy's checks."""
        return replace(self, checks=(*(each for each in self.checks if each.copy != note.copy), note))


def place_of(settings: CopySettings) -> str:
    """Return what tells one repository from another, and does not give away the password in an address."""
    return hashlib.sha256(f"{settings.program}:{settings.repository}".encode()).hexdigest()[:16]


def read_notes(state_directory: Path) -> CopyNotes:
    """Return what was noted; where it cannot be read, nothing is known, and the other end is asked again."""
    try:
        document = json.loads((state_directory / _NAME).read_bytes())
        return CopyNotes(_each(CopyNote, document["jobs"]), _each(CheckNote, document["checks"]))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return CopyNotes()


def write_notes(state_directory: Path, notes: CopyNotes) -> None:
    """Write them; raises OSError when that is impossible."""
    make_public_directory(state_directory)  # status.json is read there by others
    write_atomically(state_directory / _NAME, (json.dumps(asdict(notes), indent=2) + "\n").encode(), 0o600)


def _each(kind: type[Any], items: Any) -> tuple[Any, ...]:
    return tuple(made(kind, item) for item in items)
