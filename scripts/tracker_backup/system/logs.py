"""The program's own log file and the journal; cron's mail is lost on most hosts, so these come first."""

from __future__ import annotations

import contextlib
import logging
import sys
import syslog
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tracker_backup.system.logformat import TEXT, file_lines, journal_lines, plain
from tracker_backup.system.text import on_one_line, visible

LOGGER = logging.getLogger("tracker_backup")
_PRIORITIES = {
    logging.ERROR: syslog.LOG_ERR,
    logging.WARNING: syslog.LOG_WARNING,
    logging.INFO: syslog.LOG_INFO,
    logging.DEBUG: syslog.LOG_DEBUG,
}


class _Run:
    """The id of the run under way in this process; its threads log too, so it is no variable of one of them."""

    identifier: str | None = None


def _note_run(record: logging.LogRecord) -> bool:
    record.__dict__["run"] = _Run.identifier
    return True


LOGGER.addFilter(_note_run)


def name_run(identifier: str) -> None:
    """Let everything that is logged from now on have the id of this run."""
    _Run.identifier = identifier


@contextmanager
def run_named(identifier: str) -> Iterator[None]:
    """Let what is logged during the block have the id of this run, which :func:`name_run` may correct meanwhile."""
    before, _Run.identifier = _Run.identifier, identifier
    try:
        yield
    finally:
        _Run.identifier = before


def tell(level: int, words: str = "", /, **facts: str | float) -> None:
    """Log what programs want to read as well: facts by their names, then the words."""
    said = " ".join([*(f"{name}={plain(value)}" for name, value in facts.items()), *([words] if words else [])])
    LOGGER.log(level, "%s", said, extra={"facts": facts, "words": words})


class JournalHandler(logging.Handler):
    """Hands records to syslog, which is the journal's on a host with systemd; an error arrives there as `err`."""

    def __init__(self, identifier: str) -> None:
        """Open the connection under the program's name."""
        super().__init__()
        syslog.openlog(identifier, syslog.LOG_PID, syslog.LOG_USER)

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record, on one line."""
        # Neither a path that is no text nor a zero byte in a message may end the run that tells of it.
        text = on_one_line(" / ".join(self.format(record).splitlines()))
        syslog.syslog(_PRIORITIES.get(record.levelno, syslog.LOG_INFO), text)


class LogFile(logging.FileHandler):
    """The log file; that its disk is full is said once, in a sentence."""

    def __init__(self, path: Path) -> None:
        """Open the file for appending.

        Raises OSError when it cannot be opened.
        """
        super().__init__(path, encoding="utf-8", errors="backslashreplace")
        self._told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - the base class's
        """Say what went wrong with writing a record."""
        if not self._told:
            self._told = True
            _complain(f"cannot write the log {self.baseFilename}: {sys.exception()}")

    def close(self) -> None:
        """Close the file; what could not be written has been told."""
        with contextlib.suppress(OSError):
            super().close()


def open_journal(instance: str, form: str = TEXT) -> None:
    """Send the package's records to the journal, each with the instance's name; `form` is text, logfmt or json."""
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    journal = JournalHandler("tracker-backup")
    journal.setFormatter(journal_lines(form, instance))
    LOGGER.addHandler(journal)


def open_logs(log_file: Path, instance: str, form: str = TEXT) -> None:
    """Send the package's records to the log file (made with its directory, for root only) and to the journal.

    `form` is text, logfmt or json. A log that cannot be written is told on stderr, and does not keep a backup from
    being made.
    """
    open_journal(instance, form)
    try:
        log_file.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        if not log_file.exists():
            log_file.touch(mode=0o600)
        handler = LogFile(log_file)
    except OSError as error:
        message = f"cannot write the log {log_file}: {error.strerror}"
        LOGGER.error("%s", message)  # noqa: TRY400 - a sentence, not a traceback
        _complain(message)
        return
    handler.setFormatter(file_lines(form, instance))
    LOGGER.addHandler(handler)


@contextmanager
def logs_open(log_file: Path, instance: str, form: str = TEXT) -> Iterator[None]:
    """Open the logs for a word in passing; see :func:`open_logs`."""
    open_logs(log_file, instance, form)
    try:
        yield
    finally:
        for handler in list(LOGGER.handlers):
            LOGGER.removeHandler(handler)
            handler.close()


def _complain(text: str) -> None:
    with contextlib.suppress(OSError):
        sys.stderr.write(f"tracker-backup: {visible(text, indented='  ')}\n")
