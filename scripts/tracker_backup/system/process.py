"""Short commands with small output; the only module that uses `sh`.

Exactly one way of calling `sh` behaves alike in its versions 1.14 and 2.x, and it is the one used here: in the
background, in a session of its own that is killed as a group, without a terminal, never composed with another command.
Whatever carries data belongs in :mod:`tracker_backup.system.stream`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker_backup.errors import CommandError, TerminatedError
from tracker_backup.system.signals import held_back, start_undisturbed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for, whatever cron or a login shell says."""


@dataclass(frozen=True)
class CompletedBytes:
    """A command that has ended, with what it printed as bytes."""

    argv: tuple[str, ...]
    exit_code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True)
class CompletedCommand:
    """A command that has ended, with what it printed as text (undecodable bytes replaced)."""

    argv: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment that every program gets: a fixed PATH, the C.UTF-8 locale, and `extra`.

    HOME is the user's own, whatever the caller's said: see :mod:`tracker_backup.system.environment`.
    """
    kept = {name: os.environ[name] for name in ("HOME", "TZ") if name in os.environ}
    return {**kept, "PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8", **(extra or {})}


def find_program(name: str) -> str | None:
    """Return the absolute path of a program, or None where it is not installed."""
    return shutil.which(name, path=SYSTEM_PATH)


def require_program(name: str, *, hint: str | None = None) -> str:
    """Return the absolute path of a program.

    Raises CommandError where it is not installed.
    """
    path = find_program(name)
    if path is None:
        raise CommandError(f"the program {name} is not installed", hint=hint or f"sudo apt-get install {name}")
    return path


def is_stopped(pid: int) -> bool:
    """Tell whether a process stands still because somebody has sent it SIGSTOP, or a debugger holds it."""
    try:
        stat = Path("/proc", str(pid), "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] in "Tt"


def run(
    argv: Sequence[str],
    *,
    timeout_seconds: float,
    input_text: str | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
) -> CompletedCommand:
    """Run a program to its end and return what it printed, as text; otherwise like :func:`run_bytes`."""
    input_bytes = None if input_text is None else input_text.encode()
    done = run_bytes(argv, timeout_seconds=timeout_seconds, input_bytes=input_bytes, env=env, check=check)
    stdout, stderr = (raw.decode(errors="replace") for raw in (done.stdout, done.stderr))
    return CompletedCommand(done.argv, done.exit_code, stdout, stderr)


def run_bytes(
    argv: Sequence[str],
    *,
    timeout_seconds: float,
    input_bytes: bytes | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
) -> CompletedBytes:
    """Run a program to its end, with `env` on top of a clean environment, and return what it printed.

    After `timeout_seconds` it is killed together with everything that it started.

    Raises CommandError when the program is missing, takes too long, or (with `check`) does not exit with 0.
    """
    import sh  # costs up to 70 ms, and most commands need no program

    path = require_program(argv[0]) if "/" not in argv[0] else argv[0]
    running = None
    try:
        with held_back():
            running = sh.Command(path)(
                *argv[1:],
                _bg=True,
                _bg_exc=False,
                _new_session=True,
                _tty_out=False,
                _tty_in=False,
                _in=input_bytes if input_bytes is not None else b"",
                _env=clean_environment(env),
            )
    except TerminatedError:
        if running is not None:
            _kill_group(running)
        raise
    except (sh.CommandNotFound, OSError) as error:
        raise CommandError(f"cannot run {path}: {error}") from error
    done = _wait(running, tuple(argv), timeout_seconds)
    if check and done.exit_code != 0:
        raise CommandError(f"{Path(path).name} exited with {done.exit_code}: {_last_words(done.stderr)}")
    return done


def _wait(running: Any, argv: tuple[str, ...], timeout_seconds: float) -> CompletedBytes:
    import sh

    expired = threading.Event()

    def expire() -> None:
        expired.set()
        _kill_group(running)

    # A timer of our own: sh's wait(timeout=) returns before the last output has been read.
    timer = threading.Timer(timeout_seconds, expire)
    timer.daemon = True
    try:
        start_undisturbed(timer)
        running.wait()
    except sh.ErrorReturnCode:
        pass  # the exit code says the same, and the exception's text would hold the whole command line
    except BaseException:
        _kill_group(running)
        raise
    finally:
        timer.cancel()
    if expired.is_set():
        raise CommandError(f"{argv[0]} did not end within {timeout_seconds:.0f} s and was killed")
    return CompletedBytes(argv, int(running.exit_code), bytes(running.stdout), bytes(running.stderr))


def _kill_group(running: Any) -> None:
    """Kill the command's session; sh's own kill_group() knows it no more once the command itself has ended."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)


def _last_words(stderr: bytes) -> str:
    lines = stderr.decode(errors="replace").strip().splitlines()
    return " / ".join(lines[-3:])[:400] or "it said nothing"
