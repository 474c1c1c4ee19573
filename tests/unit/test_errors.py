"""The errors and the exit codes that are a contract with scripts."""

from __future__ import annotations

import pytest

from tracker_backup import errors
from tracker_backup.errors import TerminatedError, TrackerBackupError

CODES = {
    "UsageError": 2, "ConfigurationError": 2, "PrivilegeError": 2, "SourceError": 1, "SourcePendingError": 3,
    "RepositoryError": 1, "RestoreError": 1, "ScheduleError": 1, "CommandError": 1, "PartialError": 3,
    "LockHeldError": 4, "CheckFailedError": 5, "DeadlineError": 1, "TooSlowError": 1,
    "CopiesBehindError": 3, "CopyError": 1,
}  # fmt: skip


@pytest.mark.parametrize(("name", "code"), CODES.items())
def test_exit_codes(name: str, code: int) -> None:
    more = {"rate": 1} if name == "TooSlowError" else {}
    error: TrackerBackupError = getattr(errors, name)("what happened", **more)

    assert error.exit_code == code
    assert isinstance(error, TrackerBackupError)


@pytest.mark.parametrize(("number", "code"), [(1, 129), (2, 130), (15, 143)])
def test_a_signal_is_told_by_the_exit_code(number: int, code: int) -> None:
    assert TerminatedError(number, "SIGX").exit_code == code


def test_every_error_is_known_here() -> None:
    defined = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}

    assert defined == {"TrackerBackupError", "TerminatedError", *CODES}


def test_the_hint_has_a_line_of_its_own() -> None:
    assert str(TrackerBackupError("what happened")) == "what happened"
    assert str(TrackerBackupError("what happened", hint="what to do")) == "what happened\n  what to do"
