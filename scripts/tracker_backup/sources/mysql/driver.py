"""MySQL and MariaDB as a type of source: reach, ask, dump, compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tracker_backup.errors import SourceError, TrackerBackupError
from tracker_backup.sources.interface import CopyContext, Forecast, Sink, Source, Taken
from tracker_backup.sources.mysql.check import DumpCheck, count_objects
from tracker_backup.sources.mysql.checks import DumpChecks
from tracker_backup.sources.mysql.compare import absent
from tracker_backup.sources.mysql.dump import Dumped, ServerGoneError, run_dump
from tracker_backup.sources.mysql.facts import Facts, gather
from tracker_backup.sources.mysql.prepare import Prepared, prepare
from tracker_backup.sources.mysql.proof import Evidence
from tracker_backup.sources.mysql.prover import Prover, owner_of, sweep_left
from tracker_backup.sources.mysql.recheck import FileCheck
from tracker_backup.sources.mysql.restorecheck import RestoreCheck

DUMP = "dump"
_TRIAL = "trial"
_TRIES = 3
_CHANGED = "Error 1412"  # "Table definition has changed, please retry transaction"
_ASSUMED_BYTES_PER_SECOND = 40 * 1024**2


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
        prepared = prepare(source)
        for note in prepared.reached.passed_over:
            context.note(f"{source.name}: passed over: {note}")
        facts = prepared.reached.facts
        sweep_left(prepared.reached.connection, context)
        prover = Prover(prepared.reached.connection, facts, prepared.target.schema, context)
        for repeats in range(_TRIES):
            sink.begin()
            failure: SourceError | None = None
            dumped: Dumped | None = None
            try:
                with prover.watching(facts) as on_first_table:
                    dumped = _dump(prepared, facts, context, sink, on_first_table)
            except ServerGoneError:
                raise  # what answers at its address now is another server, with another schema
            except SourceError as error:
                failure = error
            if failure is not None and prover.stood_in_the_way(failure.message):
                context.note(f"{source.name}: there is no restore check: {prover.why_not}; it is dumped again")
                continue
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
        restore = None
        if taken.evidence is not None:
            restore = RestoreCheck(
                taken.evidence, context.directory / _TRIAL, owner_of(context), deadline=context.deadline
            )
        return DumpChecks(quick, restore, taken.why_no_proof)

    def start_check(
        self,
        path: Path,
        *,
        full: bool,
        low_priority: bool,  # noqa: ARG002 - it runs in this process
        facts: Mapping[str, Any] | None = None,
    ) -> FileCheck:
        """Start to read a dump that was unpacked into a file; with `full` it is tried on a throw-away server too."""
        return FileCheck(path, facts or {}, full=full)

    def forecast(self, source: Source, context: CopyContext) -> Forecast:
        """Return what a dump would cost now, and change nothing."""
        prepared = prepare(source)
        size = prepared.reached.facts.bytes
        seconds = size / (context.last_rate or _ASSUMED_BYTES_PER_SECOND)
        said = [f"passed over: {reason}" for reason in prepared.reached.passed_over]
        unproven = Prover(
            prepared.reached.connection,
            prepared.reached.facts,
            prepared.target.schema,
            replace(context, full_check=True),
        ).why_not
        if unproven is not None:
            said.append(f"there is no weekly restore check: {unproven}")
        return Forecast(
            method=f"{DUMP} by {prepared.reached.way}",
            raw_bytes=size,
            seconds=seconds,
            stall_seconds=seconds if prepared.locking else 0.0,
            pause_seconds=0.0,
            advice="; ".join(said),
        )

    def estimate_bytes(self, source: Source) -> int:
        """Return the server's estimate of the schema's data."""
        return prepare(source).reached.facts.bytes


def _dump(
    prepared: Prepared, facts: Facts, context: CopyContext, sink: Sink, on_first_table: Callable[[], None] | None
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


def _facts_after(prepared: Prepared, before: Facts, failure: SourceError | None) -> Facts:
    """Ask for the facts again; where the server is gone, the failure of the dump says more than that it is."""
    try:
        return gather(prepared.reached.connection, before.identity, prepared.target.schema)
    except TrackerBackupError:
        if failure is not None:
            raise failure from None
        raise


def _taken(
    source: Source, prepared: Prepared, facts: Facts, dumped: Dumped, prover: Prover, repeats: int
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
            "charset": facts.charset,
            "collation": facts.collation,
            "bytes": facts.bytes + facts.index_bytes,
            **_sums(evidence),
            "trial": prover.stored(),
        },
    )


def _sums(evidence: Evidence | None) -> dict[str, Any]:
    """Return the sums at the dump's own moment, where they were taken: a restore is compared with them."""
    if evidence is None or evidence.sums is None:
        return {}
    return {"sums": {table: each.digest for table, each in evidence.sums.items()}}
