"""What a destination of copies can do, whatever program keeps it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tracker_backup.config.model import CopySettings, Keep

_PASSWORD = re.compile(r"(//[^/\s:@]*:)[^\s/]*@")
_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[a-z0-9-]{1,40}")
LOOK_SECONDS = 60
"""How long a destination may take to say what it has; restic tries for a quarter of an hour to reach a server."""

RAW_SUFFIX = ".zst"
"""What an artifact's name loses where it lies raw in a copy."""


@dataclass(frozen=True)
class Origin:
    """Whose backups they are: host, instance and job."""

    host: str
    instance: str
    job: str


@dataclass(frozen=True)
class Copied:
    """A backup in a copy; `key` is what the program calls it, `backup` is our id."""

    key: str
    backup: str
    origin: Origin
    directory: str
    """Where its files lie, in the program's words."""


class Destination(Protocol):
    """A repository of restic or borg; every method raises CopyError where the program fails, with what it said."""

    settings: CopySettings

    def exists(self) -> bool:
        """Return whether the repository is there, and the password is its own."""

    def init(self) -> None:
        """Make the repository."""

    def copied(self) -> list[Copied]:
        """Return the backups that are there, of all hosts and instances, oldest first."""

    def store(self, directory: Path, backup: str, origin: Origin, progress: Callable[[int, int], None]) -> None:
        """Copy the files in a directory, all or none, as the backup of that id."""

    def forget(self, origin: Origin, keep: Keep) -> None:
        """Delete what `keep` does not keep of that host's, instance's and job's, and free the room."""

    def sizes(self, copied: Copied) -> dict[str, int]:
        """Return the files of a copy by their names, and their sizes in bytes."""

    def remove(self, copied: Copied) -> None:
        """Delete a copy that is not whole."""

    def check(self) -> None:
        """Check the repository with the program's own means."""

    def read(self, copied: Copied, name: str, sink: Callable[[bytes], None]) -> None:
        """Give a file of a copy to `sink`, in parts; only where this returns it was the whole file."""


def is_backup_id(text: str) -> bool:
    """Return whether a text from elsewhere has the form of a backup's id, as a name and as a time."""
    if not _ID.fullmatch(text):
        return False
    try:
        started(text)
    except ValueError:
        return False
    return True


def started(backup: str) -> datetime:
    """Return the start of a run (UTC), with which a backup's id begins; raises ValueError where it does not."""
    return datetime.strptime(backup[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def without_password(text: str) -> str:
    """Return a text with the passwords of the addresses in it masked."""
    return _PASSWORD.sub(r"\1***@", text)
