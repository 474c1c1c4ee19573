"""A file of our own in /etc/cron.d, the usual target."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Sequence
from pathlib import Path

from tracker_backup.errors import ConfigurationError, ScheduleError
from tracker_backup.schedule.entries import Entry, user_problem
from tracker_backup.schedule.rendering import render_cron_file, render_table
from tracker_backup.schedule.targets.interface import Target, explained
from tracker_backup.schedule.targets.program import CrontabProgram
from tracker_backup.system.files import fsync_directory, write_atomically

CRON_DIRECTORY = Path("/etc/cron.d")
MODE = 0o644


class CronDirectory(Target):
    """`tracker-backup-<instance>` in cron's directory, wholly ours; `user` is whom the entries run as.

    `owner` is the user id that cron wants the file to belong to, `mailto` whom cron mails what they say.
    """

    def __init__(
        self,
        instance: str,
        user: str,
        *,
        directory: Path = CRON_DIRECTORY,
        owner: int = 0,
        program: str = "crontab",
        mailto: str | None = None,
    ) -> None:
        super().__init__(instance)
        self.user = user
        self.mailto = mailto
        self.owner = owner
        self.path = directory / f"tracker-backup-{instance}"
        self._crontab = CrontabProgram(program)

    @property
    def where(self) -> str:
        """The file's path."""
        return str(self.path)

    def read(self) -> bytes | None:
        """Return the file's content."""
        if not self.path.parent.is_dir():
            raise ScheduleError(
                f"there is no directory {self.path.parent}: cron is not installed",
                hint="sudo apt-get install cron, or set schedule.target to a file that another scheduler reads",
            )
        with explained(f"read {self.path}"):
            return self.path.read_bytes() if os.path.lexists(self.path) else None

    def composed(self, current: bytes | None, entries: Sequence[Entry]) -> bytes:
        """Return the whole file."""
        del current  # all of it is ours
        _refuse(user_problem(self.user))
        return render_cron_file(self.instance, entries, user=self.user, mailto=self.mailto).encode()

    def without_ours(self, current: bytes) -> None:
        """Return None: nothing of the file is anybody else's."""
        del current

    def ours(self, current: bytes) -> bytes | None:
        """Return the whole file."""
        return current

    def check(self, content: bytes, entries: Sequence[Entry]) -> None:
        """Check the user and, by cron's own program, the lines: one bad line disables the whole file."""
        del content  # the program knows users' tables only
        require_user(self.user)
        self._crontab.check(render_table(entries).encode(), what="the entries", user=None)

    def write(self, old: bytes | None, new: bytes | None) -> None:
        """Replace or remove the file; cron skips the temporary one, whose name begins with a dot."""
        del old
        with explained(f"write {self.path}"):
            if new is None:
                self.path.unlink()
                fsync_directory(self.path.parent)
                return
            # Cron loads a file again only when its time, in whole seconds, is another one.
            before = self.path.lstat().st_mtime if os.path.lexists(self.path) else None
            write_atomically(self.path, new, MODE, newer_than=before)

    def problems(self) -> tuple[str, ...]:
        """Say what is wrong with the file's kind, mode, owner and links."""
        if not os.path.lexists(self.path):
            return ()
        found = self.path.lstat()
        mode = stat.S_IMODE(found.st_mode)
        wrong = []
        if not stat.S_ISREG(found.st_mode):
            wrong.append("it is a link or no file at all")
        elif mode != MODE:
            wrong.append(f"its mode is {mode:04o} instead of {MODE:04o}")
        if found.st_nlink != 1:
            wrong.append(f"it has {found.st_nlink} hard links, and cron ignores such a file")
        if found.st_uid != self.owner:
            wrong.append(f"it belongs to user id {found.st_uid} instead of {self.owner}, and cron ignores such a file")
        return tuple(f"{self.path}: {words}" for words in wrong)


def require_user(user: str) -> None:
    """Make sure that the user exists: cron ignores a whole file in which one does not.

    Raises ConfigurationError.
    """
    _refuse(user_problem(user))
    try:
        pwd.getpwnam(user)
    except KeyError:
        _refuse(f"the user {user} does not exist on this host")


def _refuse(problem: str | None) -> None:
    if problem is not None:
        raise ConfigurationError(f"schedule.user: {problem}", hint="set schedule.user to an existing user, or root")
