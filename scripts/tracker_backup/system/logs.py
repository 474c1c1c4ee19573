"""The program's own log file and the journal; cron's mail is lost on most hosts, so these come first."""

from __future__ import annotations

import logging
import sys
import syslog
from pathlib import Path

LOGGER = logging.getLogger("tracker_backup")
_PRIORITIES = {
    logging.ERROR: syslog.LOG_ERR,
    logging.WARNING: syslog.LOG_WARNING,
    logging.INFO: syslog.LOG_INFO,
    logging.DEBUG: syslog.LOG_DEBUG,
}


class JournalHandler(logging.Handler):
    """Hands records to syslog, which is the journal's on a host with systemd; an error arrives there as `err`."""

    def __init__(self, identifier: str) -> None:
        """Open the connection under the program's name."""
        super().__init__()
        syslog.openlog(identifier, syslog.LOG_PID, syslog.LOG_USER)

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record, on one line."""
        text = " / ".join(self.format(record).splitlines())
        syslog.syslog(_PRIORITIES.get(record.levelno, syslog.LOG_INFO), text)


def open_journal(instance: str) -> None:
    """Send the package's records to the journal, each with the instance's name."""
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    journal = JournalHandler("tracker-backup")
    journal.setFormatter(logging.Formatter(f"{instance}: %(message)s"))
    LOGGER.addHandler(journal)


def open_logs(log_file: Path, instance: str) -> None:
    """Send the package's records to the log file (made with its directory, for root only) and to the journal.

    A log that cannot be written is told on stderr, and does not keep a backup from being made.
    """
    open_journal(instance)
    try:
        log_file.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        if not log_file.exists():
            log_file.touch(mode=0o600)
        handler = logging.FileHandler(log_file, encoding="utf-8")
    except OSError as error:
        message = f"cannot write the log {log_file}: {error.strerror}"
        LOGGER.error("%s", message)  # noqa: TRY400 - a sentence, not a traceback
        sys.stderr.write(f"tracker-backup: {message}\n")
        return
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s [%(process)d] %(message)s", "%Y-%m-%dT%H:%M:%S%z")
    )
    LOGGER.addHandler(handler)
