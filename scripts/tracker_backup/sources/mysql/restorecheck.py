"""The restore check: the artifact, as it is read back, goes into a throw-away server, and is compared with the source.

What speaks against the dump is a failure; what speaks against this host, such as a full disk or a server that cannot
be started, leaves the question open.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import select
import time
from datetime import UTC, datetime
from pathlib import Path

from tracker_backup.errors import CommandError
from tracker_backup.sources.interface import CheckResult
from tracker_backup.sources.mysql import checksums, inventory
from tracker_backup.sources.mysql.checksums import SESSION, Sum, by_table, columns_statement, parse_sum, sum_statement
from tracker_backup.sources.mysql.proof import Evidence
from tracker_backup.sources.mysql.trial import TrialError, TrialServer, trial_server
from tracker_backup.system.stream import Child

RESTORE = "restore"
STRONG = "rows and sums at the dump's own moment"
WEAKER = "the rows that were counted in the dump"
_LOAD_SECONDS = 24 * 3600
_SUM_SECONDS = 6 * 3600
_POLL_MILLISECONDS = 500
# Said by a client whose server is gone or full.
_NOT_THE_DUMP = (
    "ERROR 2006",
    "ERROR 2013",
    "ERROR 2002",
    "No space left",
    "is full",
    "file write failure",
    "Out of memory",
    "out of memory",
)

# Unknown database 'x'; Table 'x.t' doesn't exist; FUNCTION x.f does not exist.
_ELSEWHERE = re.compile(r"ERROR (?:1049|1146|1305) .*?(?:'|FUNCTION |PROCEDURE )([^'. ]+)[.']")
_TOO_LATE = "the run's time (max_run_seconds) was over before the dump was loaded and compared"


def _errors(child: Child) -> str:
    """Return the errors that a client has said: with them MariaDB's repeats the statement, and that holds data."""
    lines = [line for line in child.stderr_text().splitlines() if line.startswith("ERROR")]
    return " / ".join(lines)[:400] or f"{child.name} failed and said no error"


class RestoreCheck:
    """Loads a dump into a throw-away server while it is fed, then compares."""

    def __init__(self, evidence: Evidence, directory: Path, owner: str, *, deadline: float = math.inf) -> None:
        """Start the server, its files in `directory`; where that fails the result says so.

        `owner` is whose containers are swept; after `deadline`, of the monotonic clock, the check is given up.
        """
        self._evidence = evidence
        self._deadline = deadline
        self._began = time.monotonic()
        self._open = contextlib.ExitStack()
        self._why_not: str | None = None
        self._server: TrialServer | None = None
        self._child: Child | None = None
        self._broken = False
        try:
            self._server = self._open.enter_context(trial_server(evidence.kind, directory, owner))
            name = checksums.quoted(evidence.schema)
            self._server.query(f"CREATE DATABASE {name} {evidence.create}")
            self._child = self._open.enter_context(self._server.loading(evidence.schema))
            os.set_blocking(self._child.stdin.fileno(), False)  # a server that stands still takes nothing for ever
        except (TrialError, CommandError) as error:
            self._why_not = str(error)
            self._open.close()
        except BaseException:
            self._open.close()
            raise

    def feed(self, block: bytes) -> None:
        """Load the next block; once the client has ended, what follows is not wanted."""
        if self._child is None or self._broken or self._why_not is not None:
            return
        try:
            self._write(self._child.stdin.fileno(), block)
        except BrokenPipeError:
            self._broken = True

    def _write(self, descriptor: int, block: bytes) -> None:
        rest = memoryview(block)
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        while rest:
            if time.monotonic() > self._deadline:
                self._why_not = _TOO_LATE
                self.abandon()
                return
            if poll.poll(_POLL_MILLISECONDS):
                with contextlib.suppress(BlockingIOError):
                    rest = rest[os.write(descriptor, rest) :]

    def _seconds(self, most: float) -> float:
        return max(0.0, min(most, self._deadline - time.monotonic()))

    def result(self) -> CheckResult:
        """Return what the comparison has shown, after the last block. Nothing of the server is left."""
        try:
            return self._result()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """End the server, whatever it is doing, and remove what it had."""
        self._open.close()

    def _result(self) -> CheckResult:
        if self._why_not is not None or self._server is None or self._child is None:
            return self._open_question(self._why_not or "there is no server")
        try:
            code = self._child.finish(self._seconds(_LOAD_SECONDS))
        except CommandError:
            return self._open_question(_TOO_LATE)
        return self._unloaded(self._server, self._child) if code != 0 else self._loaded(self._server)

    def _unloaded(self, server: TrialServer, child: Child) -> CheckResult:
        said = _errors(child)
        if not server.alive() or any(word in said for word in _NOT_THE_DUMP):
            return self._open_question(f"the throw-away server did not survive it: {said}: {server.said()}")
        elsewhere = _ELSEWHERE.search(said)
        if elsewhere is not None and elsewhere[1] != self._evidence.schema:
            return self._open_question(f"it needs another schema, which a throw-away server does not have: {said}")
        return self._said(ok=False, messages=(f"the dump does not load: {said}",))

    def _loaded(self, server: TrialServer) -> CheckResult:
        statements = inventory.inventory_statements(self._evidence.schema)
        try:
            found = inventory.parse_inventory(server.query(*statements, seconds=self._seconds(_SUM_SECONDS)))
            sums = self._sums(server)
        except CommandError as error:
            return self._open_question(f"the throw-away server cannot be asked: {error.message}")
        problems = self._structure(found) + self._compare(sums)
        if problems:
            return self._said(ok=False, messages=tuple(f"restored, {problem}" for problem in problems))
        said = f"ok; loaded, {sum(each.rows for each in sums.values())} rows in {len(sums)} tables compared with "
        return self._said(ok=True, messages=(said + self._compared_with(),))

    def _sums(self, server: TrialServer) -> dict[str, Sum]:
        schema = self._evidence.schema
        tables = by_table(server.query(columns_statement(schema))[0])
        statements = [sum_statement(schema, table, columns) for table, columns in tables.items()]
        answers = server.query(SESSION, *statements, seconds=self._seconds(_SUM_SECONDS))[1:]
        return {table: parse_sum(rows) for table, rows in zip(tables, answers, strict=True)}

    def _structure(self, found: inventory.Inventory) -> list[str]:
        """Return what differs in structure; a stored backup has kept the numbers of its objects only."""
        if self._evidence.inventory is not None:
            now = datetime.now(UTC)
            kept = (inventory.without_past_events(things, now) for things in (self._evidence.inventory, found))
            return inventory.differences(*kept)
        return inventory.count_differences(self._evidence.objects or {}, inventory.count_kinds(found))

    def _compare(self, found: dict[str, Sum]) -> list[str]:
        if self._evidence.sums is not None:
            return checksums.differences(self._evidence.sums, found)
        return [
            f"table {table}: {each.rows} rows instead of {self._evidence.rows.get(table, 0)}"
            for table, each in found.items()
            if each.rows != self._evidence.rows.get(table, 0)
        ]

    def _compared_with(self) -> str:
        if self._evidence.sums is not None:
            return STRONG
        return f"{WEAKER} only, because {self._evidence.why_not or 'there was nothing else'}"

    def _open_question(self, why: str) -> CheckResult:
        return self._said(ok=None, messages=(f"not tried: {why}",))

    def _said(self, *, ok: bool | None, messages: tuple[str, ...]) -> CheckResult:
        facts = {"restore": {"compared": STRONG if self._evidence.sums is not None else WEAKER}}
        return CheckResult(RESTORE, ok, time.monotonic() - self._began, messages, facts if ok is not None else {})
