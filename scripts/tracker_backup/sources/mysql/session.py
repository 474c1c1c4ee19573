"""A session with a server that stays open: what it has locked, and the moment that it sees, last as long as it does."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tracker_backup.sources.mysql.ways import Connection, ServerRefusalError, in_one_line, parse_fields, said_by

if TYPE_CHECKING:
    from tracker_backup.system.stream import Child

_MARK = b"tracker-backup-done"
_BLOCK_BYTES = 64 * 1024
_CONNECT_SECONDS = 10


class Session:
    """One connection to a server, for statements one after the other; an error ends it."""

    def __init__(self, connection: Connection, child: Child) -> None:
        """Talk through a client that reads statements from stdin."""
        self._connection = connection
        self._child = child
        self._buffer = b""
        self._lines: deque[bytes] = deque()

    def ask(self, statement: str, *, seconds: float) -> list[tuple[str, ...]]:
        """Run a statement and return its rows; NULL is "NULL".

        Raises ServerRefusalError with what the client said, also when nothing comes within `seconds`.
        """
        self.submit(statement)
        return self.answer(seconds=seconds)

    def submit(self, statement: str) -> None:
        """Send a statement that the server shall run once it has done with those before.

        Raises ServerRefusalError when the client has ended.
        """
        try:
            self._child.stdin.write(f"{statement};\nSELECT '{_MARK.decode()}';\n".encode())
        except BrokenPipeError:
            raise self._ended() from None

    def answer(self, *, seconds: float) -> list[tuple[str, ...]]:
        """Return the rows of the first statement whose answer was not yet taken.

        Raises ServerRefusalError as :meth:`ask` does.
        """
        deadline = time.monotonic() + seconds
        rows: list[tuple[str, ...]] = []
        while True:
            while self._lines:
                line = self._lines.popleft()
                if line == _MARK:
                    return rows
                rows.append(parse_fields(line.decode(errors="backslashreplace")))
            self._read(deadline, seconds)

    def _read(self, deadline: float, seconds: float) -> None:
        descriptor = self._child.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN | select.POLLHUP)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise ServerRefusalError(f"no answer within {seconds:.0f} s", self._connection.way)
        block = os.read(descriptor, _BLOCK_BYTES)
        if not block:
            raise self._ended()
        *lines, self._buffer = (self._buffer + block).split(b"\n")
        self._lines.extend(lines)

    def _ended(self) -> ServerRefusalError:
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.close()
        said = in_one_line(said_by(self._child))
        return ServerRefusalError(said or f"{self._child.name} ended and said nothing", self._connection.way)


@contextmanager
def session(connection: Connection) -> Iterator[Session]:
    """Open a session as long as the block lasts; the server drops its locks and its transaction at the end.

    Raises CommandError when no client can be started; what the server refuses comes with the first answer.
    """
    arguments = ["--batch", "--skip-column-names", "--unbuffered", "--default-character-set=utf8mb4"]
    arguments.append(f"--connect-timeout={_CONNECT_SECONDS}")
    with connection.start(connection.way.clients.query, arguments, feeding=True) as child:
        yield Session(connection, child)
