"""The seam between a run and the types of source: what a driver takes, and what it gives back."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from tracker_backup.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from tracker_backup.sources.files.selection import Scope
    from tracker_backup.sources.mysql.target import Target


@dataclass(frozen=True)
class Source:
    """One thing to back up, on this host, now.

    `why` is a sentence for people: how it was found. `mount` is `file` where a container sees the single file and
    not its directory, and so keeps its -wal where the host cannot see it; otherwise `directory`. `scope` is what a
    source of type `files` takes. A schema on a server has a `target`; its `path` is the stack's directory then.
    `roots` are the places on the host that a service sees, for a database that was found through it: see
    :func:`refuse_astray`.
    `project` is the directory of the service's Compose project where that is not the stack's, as with a COMPOSE_FILE
    that leads elsewhere: there its containers are looked for.
    """

    name: str
    type: str
    path: Path
    service: str | None = None
    why: str = ""
    mount: str = "directory"
    container_path: str | None = None
    scope: Scope | None = field(default=None, repr=False)
    project: Path | None = None
    target: Target | None = None
    roots: tuple[Path, ...] = ()

    @property
    def place(self) -> str:
        """Where it is, for people: a file, or a schema on a server."""
        return str(self.path if self.target is None else self.target)


def refuse_astray(source: Source | None, real: Path) -> None:
    """Refuse a database whose real path is none that its service sees.

    Whoever controls the container can put a link in its place, and is not to say what root copies, or overwrites.

    Raises SourceError.
    """
    if (
        source is not None
        and source.roots
        and not any(real.is_relative_to(os.path.realpath(root)) for root in source.roots)
    ):
        raise SourceError(
            f"{source.path} leads to {real}, which service {source.service} does not see",
            hint="put the file itself there; or name it under `sources:` in the configuration, if that is right",
        )


@dataclass(frozen=True)
class CopyContext:
    """What a driver needs to take a snapshot.

    `directory` is private and empty; `deadline` is a moment of the monotonic clock; `progress` is told bytes done and
    bytes in all, `note` what a person should know, `warn` what needs a person's eye; `last_rate` is the rate of an
    earlier copy in bytes per second, where there was one, `last_clone_seconds` how long a clone has held the lock.
    `stack` and `state_directory` are where a service to pause is looked for and noted; `when_busy` is `pause` or
    `refuse`; `switch_to_wal` asks for the switch before the copy; `max_silence_seconds` is how long a dump may stand
    still; with `full_check` a streaming driver gathers what its full check compares with.
    """

    directory: Path
    deadline: float
    progress: Callable[[int, int], None]
    note: Callable[[str], None]
    warn: Callable[[str], None]
    stack: Path
    state_directory: Path
    rate_limit_bytes_per_second: float = 0
    max_write_stall_seconds: float = 2
    max_pause_seconds: float = 120
    when_busy: str = "pause"
    switch_to_wal: bool = False
    last_rate: float | None = None
    last_clone_seconds: float = 0.1
    full_check: bool = False
    max_silence_seconds: float = 120


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A consistent copy of a source at one instant, wherever its bytes went.

    `write_stall_seconds` is how long the copy may have kept the tracker's writes waiting; `pause_seconds` how long its
    container was frozen; `engine` holds facts of the database for the manifest.
    """

    source: Source
    snapshot_at: datetime
    raw_bytes: int
    method: str
    seconds: float
    write_stall_seconds: float = 0.0
    pause_seconds: float = 0.0
    engine: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Snapshot(Taken):
    """A raw copy in a file of its own."""

    path: Path


class Sink(Protocol):
    """Where a stream goes."""

    def begin(self) -> None:
        """Forget what has been written, if anything, and begin anew."""

    def write(self, block: bytes) -> None:
        """Take the next block.

        Raises OSError when the disk does not, CommandError when the compressor has failed.
        """


@dataclass(frozen=True)
class CheckResult:
    """What the engine's own check said: `ok` is None where this host's tools cannot tell."""

    check: str
    ok: bool | None
    seconds: float
    messages: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the result as it stands in the manifest."""
        return {
            "check": self.check,
            "ok": self.ok,
            "seconds": round(self.seconds, 3),
            "messages": list(self.messages),
        }


@dataclass(frozen=True)
class Forecast:
    """What the next copy will cost: seconds in all, of waiting writes, of a frozen service.

    `advice` is on paying less, `detail` what there is to know besides.
    """

    method: str
    raw_bytes: int
    seconds: float
    stall_seconds: float
    pause_seconds: float
    advice: str = ""
    detail: str = ""


class RunningCheck(Protocol):
    """A check in a process of its own."""

    def result(self) -> CheckResult:
        """Wait for the end of the check and return what it found."""

    def abandon(self) -> None:
        """End the check, whatever it is doing."""


class Driver(Protocol):
    """One type of source."""

    artifact_suffix: str
    restored_suffix: str

    def take(self, source: Source, context: CopyContext) -> Snapshot:
        """Take a snapshot.

        Raises SourceError, with what to do, when it cannot be had, and DeadlineError when the run's time is over.
        """

    def forecast(self, source: Source, context: CopyContext) -> Forecast:
        """Return what a copy would cost now, and change nothing.

        Raises what :meth:`take` would raise before it copies.
        """

    def start_check(
        self, path: Path, *, full: bool, low_priority: bool, facts: Mapping[str, Any] | None = None
    ) -> RunningCheck:
        """Start the engine's own check of a raw copy that nobody else uses; `facts` are its snapshot's, in `engine`."""

    def estimate_bytes(self, source: Source) -> int:
        """Return an upper estimate of the raw copy's size in bytes."""


class StreamCheck(Protocol):
    """A check of a stream, while it is read back from the disk."""

    def feed(self, block: bytes) -> None:
        """Take the next block."""

    def results(self) -> tuple[CheckResult, ...]:
        """Return what each check has found, after the last block; the quickest first."""

    def abandon(self) -> None:
        """End the check, whatever it is doing; it may have ended."""


@runtime_checkable
class StreamingDriver(Protocol):
    """A type of source whose copy goes straight into the artifact, without a raw file in staging."""

    artifact_suffix: str
    restored_suffix: str

    def stream(self, source: Source, context: CopyContext, sink: Sink) -> Taken:
        """Write a consistent copy into the sink, beginning anew where it must.

        Raises SourceError, with what to do, when it cannot be had, and DeadlineError when the run's time is over.
        """

    def start_stream_check(self, taken: Taken, context: CopyContext) -> StreamCheck:
        """Begin to check what is read back against what was known of it on its way out.

        `context` is the one that it was taken with: its directory is still there, and private.
        """

    def forecast(self, source: Source, context: CopyContext) -> Forecast:
        """Return what a copy would cost now, and change nothing.

        Raises what :meth:`stream` would raise before it copies.
        """

    def start_check(
        self, path: Path, *, full: bool, low_priority: bool, facts: Mapping[str, Any] | None = None
    ) -> RunningCheck:
        """Start the check of a copy that was unpacked into a file; `facts` are the manifest's, in `engine`."""

    def estimate_bytes(self, source: Source) -> int:
        """Return an estimate of the raw copy's size in bytes."""
