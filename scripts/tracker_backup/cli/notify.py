"""notify --test: does a notification arrive?"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from tracker_backup.cli.context import load, say
from tracker_backup.cli.manage import write_status
from tracker_backup.errors import PartialError, UsageError
from tracker_backup.notify.telling import try_out

if TYPE_CHECKING:
    from argparse import Namespace

NOTHING_SENT = 1


def notify(arguments: Namespace) -> int:
    """Send a test message and say what came of each address, by its scheme."""
    config = load(arguments)
    if config.notifications is None:
        raise UsageError(
            f"{config.file} says nothing of notifications, so nobody is told",
            hint="set notifications.urls_file, or tracker_backup_notification_urls of the role: docs/monitoring.md",
        )
    verdicts = try_out(config, config.notifications, socket.gethostname())
    write_status(config)
    for verdict in verdicts:
        if not (verdict.sent and arguments.quiet):
            say(str(verdict))
    if all(verdict.sent for verdict in verdicts):
        return 0
    return PartialError.exit_code if any(verdict.sent for verdict in verdicts) else NOTHING_SENT
