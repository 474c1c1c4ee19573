"""Gathers, around a dump, what its restore check compares with; what is in the way costs the check, not the dump."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tracker_backup.errors import CommandError, TrackerBackupError
from tracker_backup.sources.interface import CopyContext
from tracker_backup.sources.mysql.facts import Facts
from tracker_backup.sources.mysql.proof import Evidence, NoProofError, Wanted, gather_evidence, require_here, wanted_by
from tracker_backup.sources.mysql.trial import sweep
from tracker_backup.sources.mysql.ways import Connection
from tracker_backup.sources.mysql.witness import Witness

_TOO_MANY = re.compile(r"\b(?:1040|1203|1226)\b")
"""Too many connections: of all, of a user, of a user by his own limit."""
_PARTING_SECONDS = 1.0  # until a server has noticed that they are gone


def owner_of(context: CopyContext) -> str:
    """Return whose throw-away containers an instance's are."""
    return str(context.state_directory)


def sweep_left(connection: Connection, context: CopyContext) -> None:
    """Remove the throw-away containers of an earlier run; only a run may, which holds the lock."""
    if connection.way.container is not None:
        with contextlib.suppress(CommandError):  # then the next run finds them
            sweep(owner_of(context))


class Prover:
    """For one source of one run; `why_not` says why there will be no restore check although one is wanted."""

    def __init__(self, connection: Connection, facts: Facts, schema: str, context: CopyContext) -> None:
        """Find out whether there can be one; what a server must be is asked in any case, for a later check."""
        self.why_not: str | None = None
        self.stall_seconds = 0.0
        self._connection = connection
        self._schema = schema
        self._deadline = context.deadline
        self._witness: Witness | None = None
        self._wanted: Wanted | None = None
        self._never: str | None = None
        self._due = False
        try:
            self._wanted = wanted_by(connection, facts, schema)
            if context.full_check:
                require_here(self._wanted.kind, facts.identity, context.directory, facts.bytes)
                self._due = True
        except NoProofError as error:
            self._without(error.why, full_check=context.full_check)
        except TrackerBackupError as error:
            self._without(error.message, full_check=context.full_check)

    @contextmanager
    def watching(self, facts: Facts) -> Iterator[Callable[[], None] | None]:
        """Hold the tables still until what is yielded is called; the dump is made inside of the block."""
        self._witness = None
        if not self._due:
            yield None
            return
        witness = Witness(self._connection, self._schema, facts)
        try:
            with witness:
                yield witness.release
                witness.release()
                witness.collect(self._deadline)
        finally:
            self.stall_seconds += witness.stall_seconds
        self._witness = witness

    def stood_in_the_way(self, failure: str) -> bool:
        """Return whether a dump failed for want of a connection; those of the check are let go then."""
        if not self._due or _TOO_MANY.search(failure) is None:
            return False
        self.why_not = f"more connections than the dump's were too many: {failure}"
        self._due, self._witness = False, None
        time.sleep(_PARTING_SECONDS)
        return True

    def evidence(self, rows: Mapping[str, int]) -> Evidence | None:
        """Return what the dump is compared with, None where it cannot be; `rows` are those that were counted in it."""
        if not self._due or self._wanted is None or self._witness is None:
            return None
        try:
            found = gather_evidence(self._connection, self._wanted, rows)
        except TrackerBackupError as error:
            self.why_not = error.message
            return None
        return replace(found, sums=self._witness.sums, why_not=self._witness.why_not)

    def stored(self) -> dict[str, Any]:
        """Return what the manifest keeps, so that the dump can be tried again when its source is gone."""
        if self._wanted is None:
            return {"why_not": self._never}
        kept = self._wanted.to_json()
        if self._witness is not None and self._witness.sums is not None:
            kept["sums"] = {table: [each.rows, each.digest] for table, each in self._witness.sums.items()}
        return kept

    def _without(self, why: str, *, full_check: bool) -> None:
        """Remember why there is no restore check now, or, where the server could not be described, ever."""
        if full_check:
            self.why_not = why
        if self._wanted is None:
            self._never = why
