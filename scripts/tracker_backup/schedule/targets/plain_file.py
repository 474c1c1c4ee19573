"""A block in a plain file, in the format of a user's table, for another scheduler to read (and for the demo)."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from tracker_backup.errors import ConfigurationError
from tracker_backup.schedule.entries import Entry
from tracker_backup.schedule.targets.interface import explained
from tracker_backup.schedule.targets.user_table import BlockTarget
from tracker_backup.system.files import fsync_directory, write_atomically

_SYSTEM_TABLES = (Path("/etc/crontab"), Path("/etc/cron.d"))
_DEFAULT_MODE = 0o644


class PlainFile(BlockTarget):
    """A file of the reader's choice; made when it is missing, removed when nothing but our entries was in it.

    Raises ConfigurationError for cron's own files: their lines need a user, and one bad line disables them.
    """

    def __init__(self, instance: str, path: Path) -> None:
        super().__init__(instance)
        # A link stays a link: what it points to is replaced.
        self.path = Path(os.path.realpath(path))
        if any(self.path == table or table in self.path.parents for table in _SYSTEM_TABLES):
            raise ConfigurationError(
                f"schedule.target: {path} is one of cron's own tables, whose lines are made differently",
                hint="set schedule.target to cron.d",
            )

    @property
    def where(self) -> str:
        """The file's path."""
        return str(self.path)

    def read(self) -> bytes | None:
        """Return the file's content."""
        with explained(f"read {self.path}"):
            return self.path.read_bytes() if self.path.exists() else None

    def check(self, content: bytes, entries: Sequence[Entry]) -> None:
        """Do nothing more: entries are checked as they are built, and who will read the file is unknown."""

    def write(self, old: bytes | None, new: bytes | None) -> None:
        """Replace the file by one with the same mode and owner, or remove it."""
        del old
        with explained(f"write {self.path}"):
            if new is None:
                self.path.unlink()
                fsync_directory(self.path.parent)
                return
            before = self.path.stat() if self.path.exists() else None
            if before is None:
                write_atomically(self.path, new, _DEFAULT_MODE)
                return
            owner = (before.st_uid, before.st_gid) if os.geteuid() == 0 else None
            write_atomically(self.path, new, stat.S_IMODE(before.st_mode), newer_than=before.st_mtime, owner=owner)
