"""Programs that carry data, through pipes, with every exit code read; the only user of subprocess.

A child is the leader of its own session and is killed with its whole group. What it says on stderr is kept up to a
bound, so that neither a chatty nor a failing program can fill memory or block.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from tracker_backup.errors import CommandError
from tracker_backup.system.process import clean_environment, require_program
from tracker_backup.system.signals import start_undisturbed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

_STDERR_BYTES = 64 * 1024
_PIPE_BYTES = 1024 * 1024
_ORPHAN = Path(__file__).with_name("orphan.py")


class Child:
    """A running program with pipes on stdin and stdout; use it as a context manager, which ends it in any case."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        low_priority: bool = False,
        dies_with_us: bool = False,
        inherit: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start the program `argv[0]`, looked up in the system's own directories.

        `low_priority` gives it the lowest CPU priority, for work that nobody waits for; with `dies_with_us` it is
        killed when the thread that calls this ends, however that happens. It inherits the descriptors `inherit` under
        their own numbers, and gets `env` on top of the clean environment; what it must not tell others goes through a
        descriptor, since others may read its arguments and its environment.

        Raises CommandError when it is missing or cannot be started.
        """
        self.name = Path(argv[0]).name
        path = argv[0] if "/" in argv[0] else require_program(argv[0])
        command = [require_program("nice"), "-n", "19", path] if low_priority else [path]
        if dies_with_us:
            command = [sys.executable, "-I", str(_ORPHAN), str(os.getpid()), *command]
        try:
            self._process = subprocess.Popen(
                [*command, *argv[1:]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=clean_environment(env),
                pass_fds=tuple(inherit),
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise CommandError(f"cannot run {path}: {error}") from error
        self.stdin, self.stdout, self._stderr_pipe = _pipes(self._process)
        for pipe in (self.stdin, self.stdout):
            _widen(pipe.fileno())
        self._stderr = bytearray()
        self._feeder: threading.Thread | None = None
        self._feeding_error: BaseException | None = None
        self._listener = threading.Thread(target=self._listen, daemon=True)
        start_undisturbed(self._listener)

    def __enter__(self) -> Self:
        """Return the running program."""
        return self

    def feed(self, write: Callable[[], None]) -> None:
        """Let `write` fill stdin in a thread of its own, while the caller reads stdout.

        What it raises reaches the caller in :meth:`require_success`, a broken pipe excepted: the exit code tells more.
        """
        self._feeder = threading.Thread(target=self._feed, args=(write,), daemon=True)
        start_undisturbed(self._feeder)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill what is still running, with its whole process group, and close the pipes."""
        self.kill()
        self._process.wait()
        if self._feeder is not None and self._feeder.ident is not None:  # a signal may have come before its start
            self._feeder.join()  # before the pipe is closed: its number may be another file's the moment after
        for pipe in (self.stdin, self.stdout):
            with contextlib.suppress(BrokenPipeError):  # unsent bytes for a program that is gone
                pipe.close()
        self._listener.join()

    def kill(self) -> None:
        """Kill the program, if it is still running, with everything that it started."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def ended(self) -> int | None:
        """Return the exit code of a program that has ended, None while it runs."""
        return self._process.poll()

    def finish(self, timeout_seconds: float | None = None) -> int:
        """Close stdin, wait for the end and return the exit code (negative: the signal that ended it).

        Raises CommandError when it does not end within `timeout_seconds`.
        """
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()
        try:
            return self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            raise CommandError(f"{self.name} did not end within {timeout_seconds} s") from None

    def end(self) -> int:
        """Wait for the end, after stdout has been read, and return the exit code as :meth:`finish` does.

        Raises what the feeding thread raised.
        """
        if self._feeder is not None:
            self._feeder.join()
            if self._feeding_error is not None:
                raise self._feeding_error
        return self.finish()

    def require_success(self) -> None:
        """Wait for the end, after stdout has been read.

        Raises what the feeding thread raised; CommandError, with the program's last words, unless it exits with 0.
        """
        code = self.end()
        if code != 0:
            raise CommandError(f"{self.name} {describe_exit(code)}: {self.last_words()}")

    def stderr_text(self) -> str:
        """Return what the program said on stderr, the last 64 KiB of it, once it has ended."""
        self._listener.join(timeout=5)
        return bytes(self._stderr).decode(errors="replace")

    def complaints(self) -> tuple[list[str], bool]:
        """Return the lines of stderr, after the program's end, and whether there were more than are kept."""
        self._listener.join(timeout=5)
        return bytes(self._stderr).decode(errors="replace").splitlines(), len(self._stderr) >= _STDERR_BYTES

    def last_words(self) -> str:
        """Return the end of what the program said on stderr, on one line."""
        lines = self.stderr_text().strip().splitlines()
        return " / ".join(lines[-3:])[:400] or "it said nothing"

    def _feed(self, write: Callable[[], None]) -> None:
        try:
            write()
        except BrokenPipeError:
            pass  # it reads no more; why, its exit code tells
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self._feeding_error = error
            self.kill()  # what it has got must not pass for everything
        finally:
            with contextlib.suppress(BrokenPipeError):
                self.stdin.close()  # else it would wait for the rest for ever

    def _listen(self) -> None:
        with self._stderr_pipe as pipe:
            while part := pipe.read(4096):
                self._stderr += part
                del self._stderr[:-_STDERR_BYTES]


def _widen(descriptor: int) -> None:
    """Let a pipe hold a mebibyte, where the system allows it: fewer turns from one process to another."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise CommandError("a pipe is missing")  # cannot be: all three were asked for
    return process.stdin, process.stdout, process.stderr


def describe_exit(code: int) -> str:
    """Return "exited with N", or "was killed by SIGNAME" for the negative code of a signal."""
    if code >= 0:
        return f"exited with {code}"
    return f"was killed by {signal.Signals(-code).name}"
