"""The command line: arguments in, an exit code out. Nothing else in the program exits or prints."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tracker_backup.errors import PrivilegeError, TerminatedError, TrackerBackupError, terminated

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; every error that we know is a sentence on stderr."""
    from tracker_backup.cli.streams import prepare
    from tracker_backup.system.signals import raise_on_signals

    prepare()
    try:
        raise_on_signals()
        return _run(_of_the_process() if argv is None else argv)
    except (TerminatedError, RuntimeError) as error:
        if (signal := terminated(error)) is None:
            raise
        return signal.exit_code  # it came while the end was being told, or before there was anything to do


def _run(words: Sequence[str]) -> int:
    from tracker_backup.cli.arguments import parse_arguments
    from tracker_backup.cli.streams import flush
    from tracker_backup.system.diskfaults import remedy
    from tracker_backup.system.environment import require_time_zone
    from tracker_backup.system.lastresort import watch

    try:
        arguments = parse_arguments(words)
    except SystemExit:
        flush()  # of --help
        raise
    os.umask(0o077)
    watch()
    try:
        require_time_zone()
        _in_container(arguments, words)
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
        told = TrackerBackupError(f"{error.strerror or error}{where}", hint=remedy(error))
        code = _fail(told, verbose=arguments.verbose)
    except Exception as error:
        told = terminated(error) or _unexpected(error)
        if arguments.verbose and not isinstance(told, TerminatedError):
            raise
        code = _fail(told, verbose=False)
    return code if flush() else code or 1


def _in_container(arguments: Namespace, words: Sequence[str]) -> None:
    """Mind what is different in a container of ours: whom it trusts, what is kept, and what a helper carries out."""
    from tracker_backup.system.container import in_container

    if not in_container():
        return
    from tracker_backup.cli.placed import prepare

    prepare(arguments, words)


def _unexpected(error: Exception) -> TrackerBackupError:
    from tracker_backup.system.libraries import missing_library

    known = missing_library(error) if isinstance(error, ModuleNotFoundError) else None
    reporting = "please report it, with -v"
    return known or TrackerBackupError(f"internal error, {type(error).__name__}: {error}", hint=reporting)


def _of_the_process() -> Sequence[str]:
    """Return the arguments that we were started with; of the environment we were started in little is left then."""
    from tracker_backup.system.environment import scrub

    scrub()
    return sys.argv[1:]


def _with_sudo(words: Sequence[str]) -> str:
    import shlex

    if os.geteuid() == 0:
        return "look at its owner and mode"
    return shlex.join(["sudo", "tracker-backup", *words])


def _fail(error: TrackerBackupError, *, verbose: bool) -> int:
    from tracker_backup.cli.streams import complain

    if verbose:
        import traceback

        complain("".join(traceback.format_exception(error.__cause__ or error)))
    complain(str(error))
    return error.exit_code
