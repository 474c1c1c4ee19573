"""What every target can do, and the order in which it is done: read, compare, check, write."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tracker_backup.errors import PrivilegeError, ScheduleError
from tracker_backup.schedule.entries import Entry


@dataclass(frozen=True)
class TargetState:
    """What stands in a target: our entries at all, exactly as they should be, and what is wrong."""

    present: bool
    matches: bool
    problems: tuple[str, ...]


class Target(ABC):
    """A place for one instance's entries. Implementations say how it is read, composed, checked and written."""

    def __init__(self, instance: str) -> None:
        self.instance = instance

    @property
    @abstractmethod
    def where(self) -> str:
        """The target's name for messages."""

    @abstractmethod
    def read(self) -> bytes | None:
        """Return all that stands there, ours and others'; None where there is nothing yet.

        Raises PrivilegeError or ScheduleError when it cannot be read.
        """

    @abstractmethod
    def composed(self, current: bytes | None, entries: Sequence[Entry]) -> bytes:
        """Return what should stand there, with everything of others' in `current` as it is."""

    @abstractmethod
    def without_ours(self, current: bytes) -> bytes | None:
        """Return what remains of `current` without our entries; None where nothing does."""

    @abstractmethod
    def ours(self, current: bytes) -> bytes | None:
        """Return our part of `current`, None where there is none."""

    @abstractmethod
    def check(self, content: bytes, entries: Sequence[Entry]) -> None:
        """Make sure, before anything is written, that cron takes this content whole.

        Raises ScheduleError or ConfigurationError.
        """

    @abstractmethod
    def write(self, old: bytes | None, new: bytes | None) -> None:
        """Replace `old`, which was just read, by `new`; None means that nothing is to be there.

        Raises PrivilegeError or ScheduleError; what was there before is there still, then.
        """

    def problems(self) -> tuple[str, ...]:
        """Say what, apart from the content, would make cron ignore it."""
        return ()

    def apply(self, entries: Sequence[Entry], *, dry_run: bool = False) -> bool:
        """Put the entries in place and return whether anything had (with `dry_run`: would have) to change.

        Raises ScheduleError, ConfigurationError or PrivilegeError, before anything has changed.
        """
        if not entries:
            return self.remove(dry_run=dry_run)
        old = self.read()
        new = self.composed(old, entries)
        if old == new and not self.problems():
            return False
        self.check(new, entries)
        if not dry_run:
            self.write(old, new)
        return True

    def remove(self, *, dry_run: bool = False) -> bool:
        """Take our entries out and return whether there were any; everything else stays as it is.

        Raises ScheduleError or PrivilegeError, before anything has changed.
        """
        old = self.read()
        if old is None or self.ours(old) is None:
            return False
        if not dry_run:
            self.write(old, self.without_ours(old))
        return True

    def inspect(self, entries: Sequence[Entry]) -> TargetState:
        """Compare what is there with the entries that should be.

        Raises ScheduleError or PrivilegeError when it cannot be read.
        """
        current = self.read()
        found = None if current is None else self.ours(current)
        if found is None:
            missing = (f"{self.where}: there are no entries of {self.instance}",) if entries else ()
            return TargetState(present=False, matches=not entries, problems=missing)
        wanted = self.ours(self.composed(current, entries)) or b""
        wrong = (*differences(self.where, wanted, found), *self.problems())
        return TargetState(present=True, matches=found == wanted, problems=wrong)


def differences(where: str, wanted: bytes, found: bytes) -> list[str]:
    """Say which entries are missing, switched off or changed, and which lines are not ours. Each line stands alone."""
    if wanted == found:
        return []
    wanted_lines, found_lines = _lines(wanted), _lines(found)
    missing = [line for line in wanted_lines if line not in found_lines and not line.startswith("#")]
    strange = [line for line in found_lines if line not in wanted_lines and not line.startswith("#")]
    said = [f"{where}: {_fate(line, found_lines)}: {line}" for line in missing]
    said += [f"{where}: this line is not of tracker-backup's making: {line}" for line in strange]
    return said or [f"{where}: the remarks or the order of the entries were edited"]


def _fate(line: str, found_lines: Sequence[str]) -> str:
    off = any(other.startswith("#") and other.lstrip("# ") == line for other in found_lines)
    return "this entry is switched off" if off else "this entry is missing or was edited"


def _lines(content: bytes) -> list[str]:
    return [line for line in content.decode(errors="replace").split("\n") if line.strip()]


@contextmanager
def explained(action: str) -> Iterator[None]:
    """Turn the operating system's refusals into errors that say what was being done."""
    try:
        yield
    except PermissionError as error:
        raise PrivilegeError(f"may not {action}: {error.strerror}", hint="run the same command with sudo") from error
    except OSError as error:
        raise ScheduleError(f"cannot {action}: {error.strerror or error}") from error
