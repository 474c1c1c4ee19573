"""Entries as crontab text. python-crontab writes and reads our own lines here, and never sees others'.

Given a foreign table that library drops variables, disables lines that cron takes, and crashes on legal ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracker_backup.errors import ScheduleError
from tracker_backup.schedule.entries import Entry


def render_table(entries: Sequence[Entry], *, user: str | None = None) -> str:
    """Return the entries as lines of a crontab, each below a remark that says what it is for.

    With `user` every line names whom it runs as, as in /etc/cron.d; without it, the format is a user's table's.

    Raises ScheduleError when what was written does not read back as the same entries.
    """
    # False is the library's word for the format with a user in each line, None for the other one.
    kind = None if user is None else False
    table = _table("", kind)
    for entry in entries:
        item = table.new(command=entry.command, comment=entry.label, user=user, pre_comment=True)
        item.setall(entry.schedule)
    # A table made from no text begins with an empty line.
    text = str(table.render()).lstrip("\n")
    _check(text, entries, kind)
    return text


def render_cron_file(instance: str, entries: Sequence[Entry], *, user: str, mailto: str | None = None) -> str:
    """Return the whole file for /etc/cron.d.

    It sets no variable but the one that says whom cron mails, where that is not left to the host: the entries name
    everything by absolute paths.
    """
    variables = "" if mailto is None else f"MAILTO={mailto}\n\n"
    return f"# {managed_by(instance)}\n\n{variables}{render_table(entries, user=user)}"


def managed_by(instance: str) -> str:
    """Return the remark that tells a reader who writes these lines."""
    return (
        f"Written by tracker-backup for its instance {instance}: "
        f"`tracker-backup --instance {instance} schedule apply` undoes changes."
    )


def _table(text: str, kind: bool | None) -> Any:  # noqa: FBT001  the library's own parameter
    from crontab import CronTab

    return CronTab(tab=text, user=kind)


def _check(text: str, entries: Sequence[Entry], kind: bool | None) -> None:  # noqa: FBT001
    """Make sure that nothing in an entry was taken for something else."""
    again = _table(text, kind)
    found = [(item.comment, item.command, item.is_enabled()) for item in again]
    expected = [(entry.label, entry.command, True) for entry in entries]
    if found != expected or again.render() != text:
        raise ScheduleError(
            "the crontab entries do not read back as they were written; nothing was changed",
            hint="python-crontab of this host may be unusual; please report its version and your jobs",
        )
