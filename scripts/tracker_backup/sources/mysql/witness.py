"""Counts and sums at the very moment that a dump holds: the witness to what a restore must show.

All tables are locked, a session begins a transaction, the dump begins its own, and the locks are gone: both see the
same moment. Writers wait for as long as that takes. While a transaction that has written is open its tables' locks do
not come, and everybody who wants to write waits behind us: so we wait a second, and try again a little later.

Each table is locked by a session of its own. One session for all would hold the first table while it waits for the
second, and whoever has written to the second and comes to the first makes a deadlock of it, in which every server ends
his statement and not ours. A session that holds one lock waits for nobody, so that there is no deadlock to end.
"""

from __future__ import annotations

import contextlib
import time
from typing import Self

from tracker_backup.errors import CommandError
from tracker_backup.sources.mysql.checksums import (
    SESSION,
    Sum,
    by_table,
    columns_statement,
    parse_sum,
    quoted,
    sum_statement,
)
from tracker_backup.sources.mysql.facts import Facts
from tracker_backup.sources.mysql.session import Session, session
from tracker_backup.sources.mysql.ways import Connection, ServerRefusalError

LOCK_SECONDS = 1
MOST_TABLES = 64
"""Each costs a connection."""
_TRIES = 3
_BETWEEN_SECONDS = 3.0
_ANSWER_SECONDS = 60
_LOCK_TIMEOUT = "ERROR 1205"


class Witness:
    """What is seen at the dump's own moment; use it as a context manager around the dump.

    `sums` is None where it could not be had, for the reason in `why_not`; `stall_seconds` is how long writers may have
    had to wait for us, whether it came to something or not. What cannot be had is no failure of the dump.
    """

    def __init__(self, connection: Connection, schema: str, facts: Facts) -> None:
        """Describe what is to be seen; nothing happens before the `with` block."""
        self.sums: dict[str, Sum] | None = None
        self.why_not: str | None = None
        self.stall_seconds = 0.0
        self._connection = connection
        self._schema = schema
        # A transaction does not hold these still: they are summed up by the session that has them locked.
        self._moving = frozenset(table.name for table in facts.non_transactional)
        self._tables: dict[str, list[tuple[str, str]]] = {}
        self._open = contextlib.ExitStack()
        self._locking: dict[str, Session] = {}
        self._seeing: Session | None = None
        self._locked_at: float | None = None

    def __enter__(self) -> Self:
        """Lock all tables and begin the transaction; the dump must begin now, and call :meth:`release`."""
        for tries_left in reversed(range(_TRIES)):
            try:
                self._begin()
                return self
            except (ServerRefusalError, CommandError) as error:
                self._give_up(error.message)
                if _LOCK_TIMEOUT not in error.message:
                    return self
            except BaseException:
                self._open.close()
                raise
            if tries_left:
                time.sleep(_BETWEEN_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        """End all sessions, and with them whatever they hold."""
        self._open.close()
        self._unlocked()

    def release(self) -> None:
        """Let the writers go on: the dump has begun its transaction. Sums are asked for, not waited for."""
        if self._locked_at is None or self._seeing is None:
            return
        try:
            for table, locking in self._locking.items():
                if table in self._moving:
                    locking.submit(self._sum(table))
                locking.submit("UNLOCK TABLES")
            for table in self._names(moving=False):
                self._seeing.submit(self._sum(table))
            if not self._moving:
                for locking in self._locking.values():
                    locking.answer(seconds=_ANSWER_SECONDS)
            self._unlocked()
        except (ServerRefusalError, CommandError) as error:
            self._give_up(error.message)

    def collect(self, deadline: float) -> None:
        """Wait for the sums until `deadline`, a moment of the monotonic clock."""
        if self._seeing is None:
            return
        sums = {}
        try:
            for moving in (True, False):
                for table in self._names(moving=moving):
                    reader = self._locking[table] if moving else self._seeing
                    sums[table] = parse_sum(reader.answer(seconds=max(0.0, deadline - time.monotonic())))
            self.sums = sums
        except (ServerRefusalError, CommandError) as error:
            self._give_up(error.message)

    def _begin(self) -> None:
        self.why_not = None
        self._seeing = self._open.enter_context(session(self._connection))
        self._tables = by_table(self._ask(self._seeing, columns_statement(self._schema)))
        if len(self._tables) > MOST_TABLES:
            raise CommandError(f"of its {len(self._tables)} tables {MOST_TABLES} at most can be locked at once")
        self._ask(self._seeing, SESSION)
        self._ask(self._seeing, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        for table in self._tables:
            self._locking[table] = self._open.enter_context(session(self._connection))
        for each in self._locking.values():
            self._ask(each, SESSION)
            self._ask(each, f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}")
        self._lock()
        self._ask(self._seeing, "START TRANSACTION WITH CONSISTENT SNAPSHOT")

    def _lock(self) -> None:
        self._locked_at = time.monotonic()
        for table, locking in self._locking.items():
            locking.submit(f"LOCK TABLES {quoted(self._schema)}.{quoted(table)} READ")
        for locking in self._locking.values():
            locking.answer(seconds=_ANSWER_SECONDS)

    def _give_up(self, why: str) -> None:
        self.why_not = why
        self._open.close()
        self._unlocked()
        self._locking, self._seeing = {}, None

    def _unlocked(self) -> None:
        if self._locked_at is not None:
            self.stall_seconds += time.monotonic() - self._locked_at
            self._locked_at = None

    def _names(self, *, moving: bool) -> list[str]:
        return sorted(name for name in self._tables if (name in self._moving) == moving)

    def _sum(self, table: str) -> str:
        return sum_statement(self._schema, table, self._tables[table])

    def _ask(self, of: Session, statement: str) -> list[tuple[str, ...]]:
        return of.ask(statement, seconds=_ANSWER_SECONDS)
