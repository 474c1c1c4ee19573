"""Before a dump: reach the server, and see whether what it would give is complete."""

from __future__ import annotations

from dataclasses import dataclass

from tracker_backup.errors import SourceError
from tracker_backup.sources.interface import Source
from tracker_backup.sources.mysql.grants import missing
from tracker_backup.sources.mysql.reach import Reached, reach
from tracker_backup.sources.mysql.target import REFUSE, Target


@dataclass(frozen=True)
class Prepared:
    """A schema that can be dumped as it is now; `locking` says that it takes a lock."""

    target: Target
    reached: Reached
    locking: bool


def prepare(source: Source) -> Prepared:
    """Reach the server and see whether a dump would be complete.

    Raises SourceError when it would not, with what to do.
    """
    target = source.target
    if target is None:
        raise SourceError(f"source {source.name} names no schema on a server")
    reached = reach(target, source.path)
    others = reached.facts.non_transactional
    if others and target.non_transactional == REFUSE:
        names = ", ".join(f"{table.name} ({table.engine})" for table in others)
        raise SourceError(
            f"{target}: a transaction does not hold these tables still: {names}",
            hint="ALTER TABLE … ENGINE=InnoDB, or allow mysql_non_transactional: lock, which keeps writers waiting",
        )
    lacking = missing(reached.facts, target.schema, locking=bool(others))
    if lacking:
        raise SourceError(
            f"{target}: the user {reached.facts.identity.account} may not see all of it, so that a dump could lack "
            "something without a word",
            hint=f"run as the server's administrator: {' '.join(lacking)}",
        )
    return Prepared(target, reached, bool(others))
