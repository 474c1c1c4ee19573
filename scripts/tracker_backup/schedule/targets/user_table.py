"""A block in a user's crontab."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence

from tracker_backup.errors import ScheduleError, TrackerBackupError
from tracker_backup.schedule import blocks
from tracker_backup.schedule.entries import Entry
from tracker_backup.schedule.rendering import managed_by, render_table
from tracker_backup.schedule.targets.cron_directory import require_user
from tracker_backup.schedule.targets.interface import Target
from tracker_backup.schedule.targets.program import CrontabProgram


class BlockTarget(Target):
    """Any target in which our entries are a block among other people's lines."""

    def composed(self, current: bytes | None, entries: Sequence[Entry]) -> bytes:
        """Return the table with our block in it."""
        body = f"# {managed_by(self.instance)}\n{render_table(entries)}".encode()
        return blocks.spliced(current or b"", self.instance, body, where=self.where)

    def without_ours(self, current: bytes) -> bytes | None:
        """Return the table without our block; None instead of an empty one."""
        return blocks.cut(current, self.instance, where=self.where) or None

    def ours(self, current: bytes) -> bytes | None:
        """Return the lines between our markers."""
        block = blocks.find_block(current, self.instance, where=self.where)
        return None if block is None else block.body


class UserCrontab(BlockTarget):
    """A user's table, which only the program `crontab` may touch."""

    def __init__(self, instance: str, user: str, *, program: str = "crontab") -> None:
        super().__init__(instance)
        self.user = user
        self._crontab = CrontabProgram(program)

    @property
    def where(self) -> str:
        """Whose crontab it is."""
        return f"crontab of {self.user}"

    def read(self) -> bytes | None:
        """Return the table without the header that the program adds."""
        require_user(self.user)
        return self._crontab.read(self._whose)

    def without_ours(self, current: bytes) -> bytes | None:
        """Return the table without our block, in any case with the end of the last line that the program wants."""
        rest = super().without_ours(current)
        return rest if rest is None or rest.endswith(b"\n") else rest + b"\n"

    def check(self, content: bytes, entries: Sequence[Entry]) -> None:
        """Have cron's own parser look at the whole table: somebody else's bad line would take ours along."""
        del entries
        self._crontab.check(content, what=f"the {self.where}", user=self._whose)

    def write(self, old: bytes | None, new: bytes | None) -> None:
        """Install the table, read it back, and restore the old one where it came out different."""
        self._put(new)
        if self._crontab.read(self._whose) == new:
            return
        try:
            self._put(old)
        except TrackerBackupError as error:
            raise ScheduleError(
                f"the {self.where} did not read back as written, and the old one could not be put back: "
                f"{error.message}",
                hint=f"look at it: sudo crontab -u {self.user} -l",
            ) from error
        raise ScheduleError(
            f"the {self.where} did not read back as it was written; the old one is in place again",
            hint="something else may be editing it; try again, or set schedule.target to cron.d",
        )

    @property
    def _whose(self) -> str | None:
        """The user to name to the program: nobody may name one but root."""
        own = os.geteuid() != 0 and pwd.getpwnam(self.user).pw_uid == os.geteuid()
        return None if own else self.user

    def _put(self, table: bytes | None) -> None:
        if table is not None:
            self._crontab.install(table, self._whose)
        elif self._crontab.read(self._whose) is not None:
            self._crontab.delete(self._whose)
