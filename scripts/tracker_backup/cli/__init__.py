"""The command line: arguments in, an exit code out. Nothing else in the program exits or prints."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tracker_backup.errors import TrackerBackupError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; every error that we know is a sentence on stderr."""
    from tracker_backup.cli.arguments import parse_arguments
    from tracker_backup.system.signals import raise_on_signals

    arguments = parse_arguments(sys.argv[1:] if argv is None else argv)
    os.umask(0o077)
    raise_on_signals()
    try:
        code: int = arguments.command(arguments)
        sys.stdout.flush()
    except TrackerBackupError as error:
        return _fail(error, error.exit_code, verbose=arguments.verbose)
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not complain about it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except PermissionError as error:
        return _fail(_privilege_error(error), 2, verbose=arguments.verbose)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _fail(TrackerBackupError(f"{error.strerror or error}{where}"), 1, verbose=arguments.verbose)
    except Exception as error:
        if arguments.verbose:
            raise
        told = TrackerBackupError(f"internal error, {type(error).__name__}: {error}", hint="please report it, with -v")
        return _fail(told, 1, verbose=False)
    return code


def _privilege_error(error: PermissionError) -> TrackerBackupError:
    import shlex

    where = error.filename or "something that this command needs"
    command = shlex.join([os.path.basename(sys.argv[0]), *sys.argv[1:]])  # noqa: PTH119 - a word, not a path
    hint = "look at its owner and mode" if os.geteuid() == 0 else f"sudo {command}"
    return TrackerBackupError(f"permission denied: {where}", hint=hint)


def _fail(error: TrackerBackupError, code: int, *, verbose: bool) -> int:
    if verbose:
        import traceback

        traceback.print_exception(error.__cause__ or error)
    sys.stderr.write(f"tracker-backup: {error}\n")
    return code
