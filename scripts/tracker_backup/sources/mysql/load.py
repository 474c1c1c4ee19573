"""Load the text of a dump into a schema through a server's own client, and watch it: a client can wait for ever."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tracker_backup.errors import CommandError, RestoreError
from tracker_backup.sources.mysql.ways import Connection, ServerRefusalError, said_by
from tracker_backup.system.stream import Child, describe_exit

_LOOK_SECONDS = 15
_PING_SECONDS = 10
_POLL_MILLISECONDS = 500
_LOOKS_WITHOUT_US = 2
_OPTIONS = (
    "--batch",
    # Nothing in the text is a command to the client: no program is run, no file is read.
    "--binary-mode",
    "--comments",  # MariaDB's client takes them out of triggers and routines otherwise
    "--default-character-set=utf8mb4",
    "--max-allowed-packet=1G",
    "--skip-reconnect",  # a connection that somebody has killed stays so
)
_HARMLESS = ("option --ssl-verify-server-cert is disabled",)
_STRICT = "the table is from before InnoDB was strict: SET GLOBAL innodb_strict_mode = OFF, and try again"
_HINTS = {
    "ERROR 1005": _STRICT,
    "ERROR 1031": _STRICT,
    "ERROR 1118": _STRICT,
    "ERROR 1115": "the server knows no such character set: load it into a server of the kind and age that it came from",
    "ERROR 1273": "the server knows no such collation: load it into a server of the kind and age that it came from",
    "ERROR 1231": "the server does not know a setting of the dump: load it into a server of the kind that it came from",
    "ERROR 1418": "SET GLOBAL log_bin_trust_function_creators = 1, or load it as root (--mysql-user)",
    "ERROR 1419": "SET GLOBAL log_bin_trust_function_creators = 1, or load it as root (--mysql-user)",
    "ERROR 1227": "objects in it belong to another user, and only an administrator may make such: --mysql-user root",
    "ERROR 1153": "a row is larger than the server takes: SET GLOBAL max_allowed_packet = 1073741824",
    "ERROR 2006": "a row may be larger than the server takes: SET GLOBAL max_allowed_packet = 1073741824",
    "ERROR 1114": "the server's disk is full: make room there",
    "ERROR 1021": "the server's disk is full: make room there",
    "ERROR 3675": "the server's disk is full: make room there",
    "No space left": "the server's disk is full: make room there",
    "file write failure": "the server's disk is full: make room there",
    "ERROR 1044": "the user lacks a right: docs/mysql.md, Restore",
    "ERROR 1142": "the user lacks a right: docs/mysql.md, Restore",
    "ERROR 2013": "the server went away: look at its log, then try again",
    "ERROR 2026": "the server went away: look at its log, then try again",
}


class LoadError(RestoreError):
    """A dump could not be loaded; nothing is said of what it has left in the schema."""


class Loading:
    """A client that loads what it is given into a schema."""

    def __init__(self, connection: Connection, schema: str, child: Child, max_silence_seconds: float) -> None:
        """Feed a running client; one that waits for a lock is given up after `max_silence_seconds`."""
        self._connection = connection
        self._schema = schema
        self._child = child
        self._max_silence = max_silence_seconds
        self._heard = self._looked = time.monotonic()
        self._looks_without_us = 0
        for descriptor in (child.stdin.fileno(), child.stdout.fileno()):
            os.set_blocking(descriptor, False)

    def write(self, block: bytes) -> None:
        """Load the next block.

        Raises LoadError when the client has ended, or the server is gone.
        """
        rest = memoryview(block)
        descriptor = self._child.stdin.fileno()
        while rest:
            if not self._ready(descriptor):
                self._look()
                continue
            try:
                rest = rest[os.write(descriptor, rest) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                self._child.finish(_PING_SECONDS)
                raise self._failure() from None
            self._heard = self._looked = time.monotonic()

    def finish(self) -> None:
        """Wait until everything is loaded.

        Raises LoadError unless the client exits with 0 and has said nothing that could mean that something is missing.
        """
        self._child.stdin.close()
        while self._child.ended() is None:
            self._ready(None)
            self._look()
        said = [line for line in said_by(self._child) if not any(known in line for known in _HARMLESS)]
        if self._child.finish() != 0 or said:
            raise self._failure()

    def _ready(self, descriptor: int | None) -> bool:
        """Wait a moment until the client takes more or has ended; what it prints is of no interest."""
        output = self._child.stdout.fileno()
        poll = select.poll()
        poll.register(output, select.POLLIN | select.POLLHUP)
        if descriptor is not None:
            poll.register(descriptor, select.POLLOUT | select.POLLERR)
        events = dict(poll.poll(_POLL_MILLISECONDS))
        if output in events and not os.read(output, 65536):
            time.sleep(0.02)  # it has closed its output, so it is about to end
        return descriptor in events

    def _look(self) -> None:
        """While nothing moves, see whether there is still a server that works for us.

        Raises LoadError when there is none, and when it has been waiting for a lock for too long.
        """
        now = time.monotonic()
        if now - self._looked < min(_LOOK_SECONDS, self._max_silence / 2):
            return
        silent = now - self._heard
        problem = None
        try:
            if not self._connection.way.still_there():
                problem = "its container was stopped, paused or removed"
            else:
                problem = self._waits_in_vain(silent)
        except ServerRefusalError as error:
            problem = error.said
        except CommandError as error:
            problem = error.message
        self._looked = time.monotonic()
        if problem is not None:
            self._child.kill()
            raise LoadError(
                f"{self._connection.way}: nothing moved for {silent:.0f} s, and the load was given up: {problem}",
                hint="look at the server's log, then try again",
            )

    def _waits_in_vain(self, silent: float) -> str | None:
        rows = self._connection.query("SHOW FULL PROCESSLIST", seconds=_PING_SECONDS)[0]
        ours = [row for row in rows if len(row) > _STATE and row[_SCHEMA] == self._schema and row[_COMMAND] != "Sleep"]
        self._looks_without_us = 0 if ours else self._looks_without_us + 1
        if self._looks_without_us >= _LOOKS_WITHOUT_US:
            return "the server has no session of ours that does anything any more"
        locked = next((row[_STATE] for row in ours if "lock" in row[_STATE].lower()), None)
        return f"the server says: {locked}" if locked is not None and silent >= self._max_silence else None

    def _failure(self) -> LoadError:
        code = self._child.ended()
        errors = _errors(self._child)
        said = errors or ("it said no error" if code else "it warned")
        described = "ended" if code is None else describe_exit(code)
        hint = next((hint for number, hint in _HINTS.items() if number in errors), None)
        return LoadError(f"{self._connection.way}: {self._child.name} {described}: {said}", hint=hint)


_SCHEMA, _COMMAND, _STATE = 3, 4, 6
"""Columns of SHOW PROCESSLIST."""


@contextmanager
def loading(connection: Connection, schema: str, *, max_silence_seconds: float) -> Iterator[Loading]:
    """Start a client that loads into a schema; it is ended with the block, inside a container too.

    Raises CommandError when it cannot be started.
    """
    with connection.start(connection.way.clients.query, [*_OPTIONS, f"--database={schema}"], feeding=True) as child:
        yield Loading(connection, schema, child, max_silence_seconds)


def load_text(connection: Connection, schema: str, text: bytes, *, max_silence_seconds: float) -> None:
    """Load a text into a schema.

    Raises LoadError when it does not load, CommandError when no client can be started.
    """
    with loading(connection, schema, max_silence_seconds=max_silence_seconds) as load:
        load.write(text)
        load.finish()


def _errors(child: Child) -> str:
    """Return the errors that a client has said: with them MariaDB's repeats the statement, and that holds data."""
    lines = [line for line in said_by(child) if line.startswith("ERROR")]
    return " / ".join(lines)[:400]
