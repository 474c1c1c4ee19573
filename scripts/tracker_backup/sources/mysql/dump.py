"""One consistent dump of a schema, passed on while the client writes it, and watched: a client can wait for ever."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from tracker_backup.errors import CommandError, DeadlineError, SourceError
from tracker_backup.sources.interface import CopyContext, Sink
from tracker_backup.sources.mysql.clients import Client
from tracker_backup.sources.mysql.dumpparts import without_schema_name
from tracker_backup.sources.mysql.dumptext import DumpContents, DumpReader, without_sandbox_line
from tracker_backup.sources.mysql.ways import Connection, ServerRefusalError, in_one_line, said_by
from tracker_backup.system.stream import Child, describe_exit

_BLOCK_BYTES = 256 * 1024  # stays in a core's cache while it is hashed and counted
# The clients write a few KiB at a time. Whoever takes each of them wakes up fifty thousand times for a dump of 200 MB,
# in the client's way; the pipe holds a mebibyte, so it may fill up a little first.
_SMALL_BYTES = 128 * 1024
_NAP_SECONDS = 0.002
_LOOK_SECONDS = 15
_PING_SECONDS = 10
_END_SECONDS = 60
_LOOKS_AFTER_THE_END = 3
_OPTIONS = (
    "--routines",
    "--triggers",
    "--events",
    "--hex-blob",
    "--default-character-set=utf8mb4",
    "--max-allowed-packet=1G",  # of a row; 24 MiB otherwise
)
# Asked of --help first. Without them a user with the least rights gets warnings, or none of the dump.
_WHERE_KNOWN = {
    "no-tablespaces": "--no-tablespaces",
    "masking-policies": "--skip-masking-policies",
    "set-gtid-purged": "--set-gtid-purged=OFF",
    "column-statistics": "--column-statistics=0",
}
# Said where there is nothing wrong with the dump; everything else on stderr is a failure.
_HARMLESS = ("option --ssl-verify-server-cert is disabled", "column statistics not supported by the server")


@dataclass(frozen=True)
class Dumped:
    """A dump that came to its end; `seconds` from its start."""

    contents: DumpContents
    started_at: datetime
    seconds: float


class ServerGoneError(SourceError):
    """The server, its container or the way to it went away during a dump."""


def dump_options(client: Client, schema: str, *, locking: bool) -> list[str]:
    """Return a client's arguments for a dump; `locking` keeps writers out where a transaction does not hold still."""
    consistency = "--lock-tables" if locking else "--single-transaction"
    probed = [option for name, option in _WHERE_KNOWN.items() if name in client.options]
    return [consistency, *_OPTIONS, *probed, "--", schema]


def structure_options(client: Client, schema: str) -> list[str]:
    """Return a client's arguments for a dump without rows."""
    return ["--no-data", *dump_options(client, schema, locking=False)]


def run_dump(
    connection: Connection,
    schema: str,
    context: CopyContext,
    sink: Sink,
    *,
    expected_bytes: int,
    locking: bool = False,
    on_first_table: Callable[[], None] | None = None,
) -> Dumped:
    """Dump a schema into the sink; `on_first_table` is called once the client's snapshot stands, or at the end.

    Raises SourceError when the client fails, warns, or ends before the dump does; ServerGoneError when it waits for a
    server that is gone; DeadlineError when the run's time is over.
    """
    client = connection.way.clients.dump
    began, started_at = time.monotonic(), datetime.now(UTC)
    reader, done = DumpReader(), 0
    waiting = on_first_table
    with connection.start(client, dump_options(client, schema, locking=locking)) as child:
        for block in without_schema_name(without_sandbox_line(_blocks(child, connection, context))):
            sink.write(block)
            reader.feed(block)
            done += len(block)
            context.progress(done, max(done, expected_bytes))
            if waiting is not None and reader.contents.rows:
                waiting()
                waiting = None
            _hold_back(done, began, context)
        if waiting is not None:
            waiting()
        _require_success(child, connection)
    contents = reader.finish()
    if not contents.completed:
        raise SourceError(f"{connection.way}: the dump ends before its last line, although {client.name} exited with 0")
    return Dumped(contents, started_at, time.monotonic() - began)


def _blocks(child: Child, connection: Connection, context: CopyContext) -> Iterator[bytes]:
    """Yield what the client writes; while it is silent, look whether there is still a server to wait for."""
    descriptor = child.stdout.fileno()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP)
    heard = looked = time.monotonic()
    while True:
        if time.monotonic() > context.deadline:
            raise DeadlineError(f"{connection.way}: the dump did not end within the run's time (max_run_seconds)")
        if poll.poll(1000):
            block = os.read(descriptor, _BLOCK_BYTES)
            if not block:
                return
            yield block
            heard = looked = time.monotonic()
            if len(block) < _SMALL_BYTES:
                time.sleep(_NAP_SECONDS)
            continue
        now = time.monotonic()
        if now - looked >= min(_LOOK_SECONDS, context.max_silence_seconds / 2):
            _require_server(connection, now - heard)
            looked = time.monotonic()
        if now - heard >= context.max_silence_seconds:
            raise SourceError(
                f"{connection.way}: the dump stood still for {now - heard:.0f} s and was given up"
                f"{_waiting_for(connection)}",
                hint="end what holds the lock (SHOW PROCESSLIST), or raise mysql_max_wait_seconds",
            )


def _require_server(connection: Connection, silent: float) -> None:
    """Raise ServerGoneError unless the container runs and the server answers."""
    problem = None
    try:
        if not connection.way.still_there():
            problem = "its container was stopped, paused or removed"
        else:
            connection.query("SELECT 1", seconds=_PING_SECONDS)
    except ServerRefusalError as error:
        problem = error.said
    except CommandError as error:
        problem = error.message
    if problem is not None:
        raise ServerGoneError(
            f"{connection.way}: the server went away during the dump (nothing came for {silent:.0f} s): {problem}",
            hint="the next run tries again",
        )


def _waiting_for(connection: Connection) -> str:
    try:
        rows = connection.query("SHOW PROCESSLIST", seconds=_PING_SECONDS)[0]
    except (SourceError, CommandError):
        return ""  # it is only said in addition
    states = sorted({row[6] for row in rows if len(row) > 6 and "lock" in row[6].lower()})  # noqa: PLR2004 - State
    return f"; the server says: {', '.join(states)}" if states else ""


def _require_success(child: Child, connection: Connection) -> None:
    """Raise unless the client has exited with 0 and said nothing that could mean that data is missing."""
    code = child.finish(_END_SECONDS)
    said = in_one_line([line for line in said_by(child) if not any(known in line for known in _HARMLESS)])
    client = connection.way.clients.dump.name
    if code != 0:
        gone = "" if _is_there(connection) else "; its container was stopped, paused or removed"
        kind = ServerGoneError if gone else SourceError
        raise kind(f"{connection.way}: {client} {describe_exit(code)}: {said or 'it said nothing'}{gone}")
    if said:
        raise SourceError(f"{connection.way}: {client} warned, so something may be missing: {said}")


def _is_there(connection: Connection) -> bool:
    """Return whether the container runs; Docker hears of its end a moment later than those who talked to it."""
    if connection.way.container is None:
        return True
    for _ in range(_LOOKS_AFTER_THE_END):
        try:
            if not connection.way.still_there():
                return False
        except CommandError:
            return False
        time.sleep(1)
    return True


def _hold_back(done: int, began: float, context: CopyContext) -> None:
    if context.rate_limit_bytes_per_second:
        now = time.monotonic()
        ahead = done / context.rate_limit_bytes_per_second - (now - began)
        time.sleep(max(0.0, min(ahead, context.deadline - now)))
