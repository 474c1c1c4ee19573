"""The command line: arguments in, an exit code out. Nothing else in the program exits or prints."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tracker_backup.errors import PrivilegeError, TerminatedError, TrackerBackupError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; every error that we know is a sentence on stderr."""
    from tracker_backup.cli.arguments import parse_arguments
    from tracker_backup.cli.streams import flush, prepare
    from tracker_backup.system.signals import raise_on_signals

    prepare()
    raise_on_signals()
    words = sys.argv[1:] if argv is None else argv
    try:
        arguments = parse_arguments(words)
    except SystemExit:
        flush()  # of --help
        raise
    except TerminatedError as error:
        return error.exit_code
    os.umask(0o077)
    try:
        code: int = arguments.command(arguments)
    except BrokenPipeError:
        code = 0  # whoever read our output has seen enough
    except PrivilegeError as error:
        error.hint = error.hint or _with_sudo(words)
        code = _fail(error, verbose=arguments.verbose)
    except TrackerBackupError as error:
        code = _fail(error, verbose=arguments.verbose)
    except PermissionError as error:
        where = error.filename or "something that this command needs"
        denied = PrivilegeError(f"permission denied: {where}", hint=_with_sudo(words))
        code = _fail(denied, verbose=arguments.verbose)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        code = _fail(TrackerBackupError(f"{error.strerror or error}{where}"), verbose=arguments.verbose)
    except Exception as error:
        if arguments.verbose:
            raise
        told = TrackerBackupError(f"internal error, {type(error).__name__}: {error}", hint="please report it, with -v")
        code = _fail(told, verbose=False)
    return code if flush() else code or 1


def _with_sudo(words: Sequence[str]) -> str:
    import shlex

    if os.geteuid() == 0:
        return "look at its owner and mode"
    return shlex.join(["sudo", "tracker-backup", *words])


def _fail(error: TrackerBackupError, *, verbose: bool) -> int:
    from tracker_backup.cli.streams import complain

    if verbose:
        import traceback

        traceback.print_exception(error.__cause__ or error)
    complain(str(error))
    return error.exit_code
