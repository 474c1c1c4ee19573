"""Put sources of a backup in place while nothing of the stack uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker_backup.inplace.interface import Wishes
from tracker_backup.inplace.session import restore_in_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker_backup.config.model import Config
    from tracker_backup.report.reporter import Reporter
    from tracker_backup.repository.store import Backup


def put_in_place(config: Config, backup: Backup, sources: Sequence[str], reporter: Reporter) -> None:
    """Put sources in place; what is there already is replaced and kept, and nothing is started.

    Raises RestoreError where it cannot be done, CheckFailedError for an artifact that is damaged.
    """
    wishes = Wishes(tuple(sources), confirm=_agree, leave_stopped=True)
    restore_in_place(backup, config, wishes, reporter)


def _agree(_changes: object, _stopped: object) -> bool:
    """Ask nobody: whoever moves a stack has said so already."""
    return True
