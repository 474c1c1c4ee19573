"""MySQL and MariaDB as a type of source: reach, ask, dump, compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tracker_backup.errors import SourceError, TrackerBackupError
from tracker_backup.sources.interface import CopyContext, Forecast, Sink, Source, Taken
from tracker_backup.sources.mysql.check import DumpCheck, FileCheck, count_objects
from tracker_backup.sources.mysql.checks import DumpChecks
from tracker_backup.sources.mysql.compare import absent
from tracker_backup.sources.mysql.dump import Dumped, run_dump
from tracker_backup.sources.mysql.facts import Facts, gather
from tracker_backup.sources.mysql.grants import missing
from tracker_backup.sources.mysql.proof import Evidence
from tracker_backup.sources.mysql.prover import Prover
from tracker_backup.sources.mysql.reach import Reached, reach
from tracker_backup.sources.mysql.target import REFUSE, Target

DUMP = "dump"
_TRIES = 3
_CHANGED = "Error 1412"  # "Table definition has changed, please retry transaction"
_ASSUMED_BYTES_PER_SECOND = 40 * 1024**2


@dataclass(frozen=True)
class _Prepared:
    """A server that can be dumped as it is now."""

    target: Target
    reached: Reached
    locking: bool


@dataclass(frozen=True, kw_only=True)
class TakenSchema(Taken):
    """A dump; `evidence` is what its restore is compared with, `why_no_proof` why there is none although wanted."""

    evidence: Evidence | None = None
    why_no_proof: str | None = None


class MysqlDriver:
    """Dumps one schema with the server's own client."""

    artifact_suffix = ".sql.zst"
    restored_suffix = ".sql"

    def stream(self, source: Source, context: CopyContext, sink: Sink) -> Taken:
        """Dump the schema in one transaction, again if its structure changed meanwhile.

        Raises SourceError when it cannot be dumped completely, DeadlineError when the run's time is over.
        """
        prepared = _prepare(source)
        for note in prepared.reached.passed_over:
            context.note(f"{source.name}: passed over: {note}")
        facts = prepared.reached.facts
        prover = Prover(prepared.reached.connection, facts, prepared.target.schema, context)
        for repeats in range(_TRIES):
            sink.begin()
            failure: SourceError | None = None
            dumped: Dumped | None = None
            try:
                with prover.watching(facts) as on_first_table:
                    dumped = _dump(prepared, facts, context, sink, on_first_table)
            except SourceError as error:
                failure = error
            before, facts = facts, _facts_after(prepared, facts, failure)
            # A TRUNCATE in the second in which the table was made leaves no other trace than the error.
            if before.fingerprint != facts.fingerprint or (failure is not None and _CHANGED in failure.message):
                context.note(f"{source.name}: the schema changed during the dump: it is dumped again")
                continue
            if failure is not None:
                raise failure
            if dumped is not None:
                return _taken(source, prepared, facts, dumped, prover, repeats)
        raise SourceError(
            f"{prepared.target}: its structure changed during each of {_TRIES} dumps",
            hint="wait for the migration to end; the next run tries again",
        )

    def start_stream_check(self, taken: Taken, context: CopyContext) -> DumpChecks:
        """Begin to compare what is read back with what was counted on its way out, and to try it on a server."""
        quick = DumpCheck(taken.engine["rows"], taken.engine["objects"])
        if not isinstance(taken, TakenSchema):
            return DumpChecks(quick)
        return DumpChecks(quick, taken.evidence, taken.why_no_proof, context)

    def start_check(self, path: Path, *, full: bool, low_priority: bool) -> FileCheck:  # noqa: ARG002 - one check only
        """Start to read a dump that was unpacked into a file."""
        return FileCheck(path)

    def forecast(self, source: Source, context: CopyContext) -> Forecast:
        """Return what a dump would cost now, and change nothing."""
        prepared = _prepare(source)
        size = prepared.reached.facts.bytes
        seconds = size / (context.last_rate or _ASSUMED_BYTES_PER_SECOND)
        return Forecast(
            method=f"{DUMP} by {prepared.reached.way}",
            raw_bytes=size,
            seconds=seconds,
            stall_seconds=seconds if prepared.locking else 0.0,
            pause_seconds=0.0,
            advice="; ".join(f"passed over: {reason}" for reason in prepared.reached.passed_over),
        )

    def estimate_bytes(self, source: Source) -> int:
        """Return the server's estimate of the schema's data."""
        return _prepare(source).reached.facts.bytes


def _prepare(source: Source) -> _Prepared:
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
    return _Prepared(target, reached, bool(others))


def _dump(
    prepared: _Prepared, facts: Facts, context: CopyContext, sink: Sink, on_first_table: Callable[[], None] | None
) -> Dumped:
    dumped = run_dump(
        prepared.reached.connection,
        prepared.target.schema,
        context,
        sink,
        expected_bytes=facts.bytes,
        locking=prepared.locking,
        on_first_table=on_first_table,
    )
    lost = absent(dumped.contents, facts)
    if lost:
        raise SourceError(
            f"{prepared.target}: the dump lacks what the server has: {', '.join(lost)}",
            hint="see docs/mysql.md, Rights",
        )
    return dumped


def _facts_after(prepared: _Prepared, before: Facts, failure: SourceError | None) -> Facts:
    """Ask for the facts again; where the server is gone, the failure of the dump says more than that it is."""
    try:
        return gather(prepared.reached.connection, before.identity, prepared.target.schema)
    except TrackerBackupError:
        if failure is not None:
            raise failure from None
        raise


def _taken(
    source: Source, prepared: _Prepared, facts: Facts, dumped: Dumped, prover: Prover, repeats: int
) -> TakenSchema:
    contents, way = dumped.contents, prepared.reached.way
    evidence = prover.evidence(contents.rows)
    return TakenSchema(
        source=source,
        snapshot_at=dumped.started_at,
        raw_bytes=contents.bytes,
        method=DUMP,
        seconds=dumped.seconds,
        write_stall_seconds=dumped.seconds if prepared.locking else prover.stall_seconds,
        evidence=evidence,
        why_no_proof=prover.why_not,
        engine={
            "name": facts.identity.flavour,
            "server": facts.identity.version,
            "client": str(way.clients.dump),
            "reach": f"{way.kind}: {way.place}",
            "rows": dict(contents.rows),
            "objects": count_objects(contents),
            "repeats": repeats,
            "locked": prepared.locking,
        },
    )
