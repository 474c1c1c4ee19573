"""What a contender works with in one run: a database, a directory of its own, and ways to run programs."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from bench.load import Load
from bench.measure import children_seconds
from bench.settings import Settings

_SAID = 300
Word = str | Path
"""One of a command."""


class FailedError(Exception):
    """A contender's program failed; the message is what it said."""


class TooLongError(Exception):
    """A contender did not end within its time; the message says how far it came."""


@dataclass
class World:
    """One run's. `facts` are figures that a contender reports itself; `writes`: somebody writes meanwhile."""

    settings: Settings
    database: Path
    directory: Path
    mode: str = "wal"
    writes: bool = True
    restoring: bool = False
    load: Load | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    outage_seconds: float = 0.0
    others_cpu_seconds: float = 0.0

    @property
    def stored(self) -> Path:
        """Where a contender puts what it keeps."""
        return self.directory / "stored"

    @property
    def restored(self) -> Path:
        """The database that a restore makes."""
        return self.directory / "restored" / "tracker.db"

    @property
    def patience(self) -> float:
        """Return the seconds that anything may take, a restore a quarter of it."""
        return self.settings.limit * (15 if self.restoring else 60)

    @property
    def patience_under_writes(self) -> float:
        """Return the seconds for a copy that may never end while others write."""
        return self.settings.limit if self.writes else self.patience

    @property
    def load_pids(self) -> list[int]:
        """Return the processes that are not the contender's."""
        return [] if self.load is None else self.load.pids

    def call(
        self,
        *argv: Word,
        seconds: float | None = None,
        env: Mapping[str, str] | None = None,
        out: Path | None = None,
    ) -> str:
        """Run a program to its end and return what it printed, unless that goes to the file `out`.

        Raises FailedError and TooLongError.
        """
        return self.pipe([list(argv)], seconds=seconds, env=env, out=out)

    def pipe(
        self,
        commands: list[list[Word]],
        *,
        source: Path | None = None,
        out: Path | None = None,
        seconds: float | None = None,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Run programs, each reading what the one before it writes; all of them must succeed.

        The first reads the file `source`, what the last one writes goes to `out`, or is returned.
        """
        give_up = time.monotonic() + (seconds or self.patience)
        last_words, printed = self.directory / "said", out or self.directory / "printed"
        processes: list[subprocess.Popen[bytes]] = []
        with last_words.open("wb") as errors, printed.open("wb") as output, _opened(source) as first:
            try:
                for number, command in enumerate(commands):
                    processes.append(
                        subprocess.Popen(
                            [str(word) for word in command],
                            stdin=processes[-1].stdout if processes else first,
                            stdout=output if number == len(commands) - 1 else subprocess.PIPE,
                            stderr=errors,
                            env={**os.environ, **(env or {})},
                            start_new_session=True,
                        )
                    )
                    if number and (pipe := processes[-2].stdout) is not None:
                        pipe.close()
                codes = [process.wait(max(0.001, give_up - time.monotonic())) for process in processes]
            except subprocess.TimeoutExpired:
                raise TooLongError(f"not within {seconds or self.patience:.0f} s") from None
            finally:
                for process in processes:
                    _end(process)
        if any(codes):
            said = last_words.read_text(errors="replace").strip() or printed.read_text(errors="replace").strip()
            raise FailedError(f"exit {' | '.join(map(str, codes))}: {' '.join(said.split())[-_SAID:]}")
        return "" if out else printed.read_text(errors="replace")

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Stop the tracker for the length of a block, and count the seconds until it works again."""
        began = time.monotonic()
        if self.load is not None:
            before = children_seconds()
            self.load.stop()
            self.others_cpu_seconds += children_seconds() - before
        try:
            yield
        finally:
            if self.load is not None:
                self.load.start()
            self.outage_seconds += time.monotonic() - began


def bytes_below(path: Path) -> int:
    """Return the sizes of all files below a directory."""
    return sum(each.lstat().st_size for each in path.rglob("*") if each.is_file())


@contextmanager
def _opened(source: Path | None) -> Iterator[IO[bytes] | int]:
    if source is None:
        yield subprocess.DEVNULL
    else:
        with source.open("rb") as file:
            yield file


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what still runs, with all that it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
