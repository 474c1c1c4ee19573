"""What the doctor finds of copies elsewhere: can each be asked what it has?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker_backup.copies.registry import destination_for
from tracker_backup.errors import TerminatedError, TrackerBackupError
from tracker_backup.health.finding import FAIL, OK, Finding
from tracker_backup.system.signals import time_limit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker_backup.config.model import Config

_COPY_SECONDS = 120


def examine_copies(config: Config) -> Iterator[Finding]:
    """Ask each destination."""
    for settings in config.copies:
        try:
            with time_limit(_COPY_SECONDS, "asking it"):
                there = destination_for(settings, config).copied()
        except TerminatedError:
            raise
        except (TrackerBackupError, OSError) as error:
            said = error.message if isinstance(error, TrackerBackupError) else str(error)
            hint = error.hint if isinstance(error, TrackerBackupError) else None
            yield Finding(FAIL, f"copy {settings.name} cannot be used: {said}", hint or "")
            continue
        own = [each for each in there if each.origin.instance == config.instance]
        newest = f", the newest {own[-1].backup}" if own else ""
        yield Finding(OK, f"copy {settings.name}, in {settings.program}: {len(own)} backups{newest}")
