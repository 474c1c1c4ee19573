"""What can go wrong, and the exit code that says so.

TrackerBackupError            1  failed, nothing published
├── UsageError                2  the command line asks for something that cannot be
├── ConfigurationError        2  configuration or stack: what is wrong stands in the message
├── PrivilegeError            2  needs root, or another user's rights
├── SourceError               1  a source could not be copied
│   ├── SourcePendingError    3  its database does not exist yet
│   └── TooSlowError          1  its copy did not fit into the time that the tracker may wait
├── RepositoryError           1  the repository cannot be read or written
├── RestoreError              1  nothing was restored, or not all of it
├── ScheduleError             1  the crontab could not be read or written
├── CommandError              1  a program is missing, failed, or took too long
│   └── CopyError             1  restic or borg says that a copy cannot be made, looked at or read
├── PartialError              3  some sources were taken, others not
│   └── CopiesBehindError     3  a copy elsewhere is behind, and nothing else is wrong
├── LockHeldError             4  another run is at work
├── CheckFailedError          5  what was stored or copied is damaged
├── DeadlineError             1  the run took longer than it may
└── TerminatedError     129/130/143  hung up, interrupted, terminated
"""

from __future__ import annotations


class TrackerBackupError(Exception):
    """Base of all errors that the program explains to its user.

    `message` says what happened and where; `hint`, where there is one, says what to do next.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """Keep the message and, apart from it, what the reader can do about it."""
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Return the message with the hint in its own line."""
        return self.message if self.hint is None else f"{self.message}\n  {self.hint}"


def terminated(error: BaseException) -> TerminatedError | None:
    """Return the signal that an error comes of, None where it comes of none.

    Up to version 3.11 Python wraps what a handler raises while a class is being made, as in an import.
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, TerminatedError):
        cause = cause.__cause__
    return cause


class UsageError(TrackerBackupError):
    """The command line asks for something that cannot be."""

    exit_code = 2


class ConfigurationError(TrackerBackupError):
    """The configuration, or the stack that it names, is wrong."""

    exit_code = 2


class PrivilegeError(TrackerBackupError):
    """The user who started the program may not do this."""

    exit_code = 2


class SourceError(TrackerBackupError):
    """A source could not be copied."""


class SourcePendingError(SourceError):
    """The source's database does not exist yet and never was in a backup."""

    exit_code = 3


class TooSlowError(SourceError):
    """The copy did not fit into the time that the tracker may wait; `rate` is what it made, in bytes per second."""

    def __init__(self, message: str, *, rate: float, hint: str | None = None) -> None:
        """Keep the rate for the next prediction."""
        super().__init__(message, hint=hint)
        self.rate = rate


class RepositoryError(TrackerBackupError):
    """The repository cannot be read or written."""


class RestoreError(TrackerBackupError):
    """A backup could not be restored."""


class ScheduleError(TrackerBackupError):
    """The crontab could not be read or written."""


class CommandError(TrackerBackupError):
    """A program is missing, failed, or took too long."""


class CopyError(CommandError):
    """A copy elsewhere cannot be made, looked at or read: its program said so."""


class PartialError(TrackerBackupError):
    """Some sources were taken and others not."""

    exit_code = 3


class CopiesBehindError(PartialError):
    """A copy elsewhere is behind, and nothing else is wrong."""


class LockHeldError(TrackerBackupError):
    """Another run holds the repository."""

    exit_code = 4


class CheckFailedError(TrackerBackupError):
    """A copy or a stored artifact is damaged."""

    exit_code = 5


class DeadlineError(TrackerBackupError):
    """The run took longer than `max_run_seconds`."""


class TerminatedError(TrackerBackupError):
    """A signal asked the program to stop; 128 + its number is the exit code."""

    def __init__(self, signal_number: int, name: str) -> None:
        """Remember which signal it was."""
        super().__init__(f"stopped by {name}")
        self.exit_code = 128 + signal_number
