"""What a program sees that is started by tracker_backup.system.process: run under any Python, to try any version of sh.

process_scenarios.py NAME [ARGUMENT]...; prints one JSON value.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from tracker_backup.errors import CommandError, TerminatedError
from tracker_backup.system.process import run, run_bytes
from tracker_backup.system.signals import raise_on_signals


def outcome(*argv: str, **options: Any) -> Any:
    """Return exit code and output of a command, or the error's message."""
    options.setdefault("timeout_seconds", 60)
    try:
        done = run(argv, **options)
    except CommandError as error:
        return {"error": error.message, "hint": error.hint}
    return [done.exit_code, done.stdout, done.stderr]


def shell(script: str, *arguments: str, **options: Any) -> Any:
    """Run a shell script."""
    return outcome("sh", "-c", script, "sh", *arguments, **options)


def large(_: list[str]) -> Any:
    """Return the sizes of much output on both pipes, and of much input that comes back."""
    done = run_bytes(["sh", "-c", "head -c 3000000 /dev/zero; head -c 2000000 /dev/zero >&2"], timeout_seconds=60)
    back = run_bytes(["cat"], timeout_seconds=60, input_bytes=bytes(range(256)) * 4000)
    return [len(done.stdout), len(done.stderr), back.stdout == bytes(range(256)) * 4000]


def timeout(arguments: list[str]) -> Any:
    """Let a command and what it started in the background take too long."""
    return shell('sleep 600 & echo $! >"$1"; sleep 600', arguments[0], timeout_seconds=3)


def left_behind(arguments: list[str]) -> Any:
    """Let a command end and leave something behind that holds its output open."""
    return shell('sleep 600 & echo $! >"$1"; echo done', arguments[0], timeout_seconds=1)


def stubborn(arguments: list[str]) -> Any:
    """Let a command take too long that does not listen to SIGTERM."""
    return shell('trap "" TERM; echo $$ >"$1"; while :; do sleep 600; done', arguments[0], timeout_seconds=3)


def interrupted(arguments: list[str]) -> Any:
    """Stop the program with SIGTERM while a command runs."""
    raise_on_signals()

    def stop() -> None:
        while not Path(arguments[0]).exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop, daemon=True).start()
    try:
        return shell('sleep 600 & echo $! >"$1.new"; mv "$1.new" "$1"; sleep 600', arguments[0])
    except TerminatedError as error:
        return {"stopped": error.exit_code}


def hung_up(_: list[str]) -> Any:
    """Return what SIGHUP does to a program that was started to ignore it."""

    def never(_number: int, _frame: FrameType | None) -> NoReturn:
        raise AssertionError

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, never)
    raise_on_signals()
    return [signal.getsignal(signal.SIGHUP) == signal.SIG_IGN, signal.getsignal(signal.SIGINT) != never]


SCENARIOS: dict[str, Callable[[list[str]], Any]] = {
    "success": lambda _: outcome("printf", "a\\nb"),
    "failure": lambda _: shell("echo one >&2; echo two >&2; exit 3"),
    "silent failure": lambda _: shell("exit 3"),
    "unchecked failure": lambda _: shell("echo out; echo err >&2; exit 3", check=False),
    "signal": lambda _: shell("kill -9 $$", check=False),
    "missing": lambda _: outcome("no-such-program"),
    "missing path": lambda _: outcome("/no/such/program"),
    "not a program": lambda _: outcome("/etc/passwd"),
    "stdin": lambda _: outcome("cat"),
    "input": lambda _: outcome("cat", input_text="ä\n$HOME\x00end"),
    "words": lambda _: outcome("printf", "<%s>", "a b", "$HOME", "*", "'\"", "", "--x", "ä"),
    "bytes": lambda _: outcome("printf", "\\377\\000ok"),
    "environment": lambda _: outcome("env", env={"EXTRA": "one two"}),
    "terminal": lambda _: shell("test -t 0 || test -t 1 || test -t 2; echo $?; ps -o tty= -p $$"),
    "session": lambda _: shell('test "$(ps -o sid= -p $$ | tr -d " ")" = $$; echo $?'),
    "secret": lambda _: shell("exit 9 # the-password"),
    "large": large,
    "timeout": timeout,
    "left behind": left_behind,
    "stubborn": stubborn,
    "interrupted": interrupted,
    "hung up": hung_up,
}

if __name__ == "__main__":
    print(json.dumps(SCENARIOS[sys.argv[1]](sys.argv[2:])))
