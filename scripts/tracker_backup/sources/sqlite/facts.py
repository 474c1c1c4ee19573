"""Gather what a decision needs to know of a database; nothing of it is changed, and nothing is locked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracker_backup.containers.docker import RESTARTING, RUNNING, service_containers
from tracker_backup.errors import CommandError
from tracker_backup.sources.sqlite.clone import can_clone
from tracker_backup.sources.sqlite.recovery import needs_recovery
from tracker_backup.sources.sqlite.staged import sidecar
from tracker_backup.sources.sqlite.strategy import NOT_ASKED, STOPPED, Facts, Limits, clones_in_time
from tracker_backup.sources.sqlite.superjournal import refuse_undecidable
from tracker_backup.sources.sqlite.trial import trial_rate

if TYPE_CHECKING:
    from pathlib import Path

    from tracker_backup.sources.interface import CopyContext, Source
    from tracker_backup.sources.sqlite.opening import DatabaseFile


def gather_facts(source: Source, database: DatabaseFile, context: CopyContext) -> Facts:
    """Return the facts of a database; `context.directory` is where its copy would be put.

    Raises SourceError when it cannot be opened at all, or when nobody here can tell how it has to be recovered.
    """
    rate = context.last_rate or trial_rate(database.path)  # before anything of ours has it open
    recovery = None if database.wal_mode and source.mount == "file" else needs_recovery(database)
    if recovery is not None:
        refuse_undecidable(database.path, sidecar(database.path, "-journal"))  # a forecast says so as well
    facts = Facts(
        path=str(source.path),
        wal_mode=database.wal_mode,
        mount=source.mount,
        raw_bytes=database.file_bytes,
        rate=rate,
        clones=can_clone(database.path, context.directory),
        clone_seconds=context.last_clone_seconds,
        recovery=recovery,
        service=NOT_ASKED,
    )
    return _with_service(facts, source, context)


def without_clones(facts: Facts, source: Source, context: CopyContext) -> Facts:
    """Return the facts of a database that could not be cloned although it was expected to."""
    return _with_service(replace(facts, clones=False), source, context)


def at_rate(facts: Facts, rate: float, source: Source, context: CopyContext) -> Facts:
    """Return the facts of a database whose copy has just made `rate` bytes per second only."""
    return _with_service(replace(facts, rate=max(rate, 1.0), clones=False), source, context)


def _with_service(facts: Facts, source: Source, context: CopyContext) -> Facts:
    bearable = facts.seconds <= context.max_write_stall_seconds or clones_in_time(facts, limits_of(context))
    if bearable or facts.wal_mode or facts.recovery:
        return facts  # nobody would be paused, so Docker need not be asked
    return replace(facts, service=service_state(source.project or context.stack, source.service))


def limits_of(context: CopyContext) -> Limits:
    """Return what a copy may cost."""
    return Limits(context.max_write_stall_seconds, context.max_pause_seconds, context.when_busy)


def service_state(stack: Path, service: str | None) -> str:
    """Return `running`, `stopped`, or why the service cannot be paused."""
    if service is None:
        return "the configuration does not say which service uses it"
    try:
        containers = service_containers(stack, service)
    except CommandError as error:
        return error.message
    if not containers:
        return f"there is no container of service {service} of the stack in {stack}"
    states = {container.state for container in containers}
    if RESTARTING in states:
        return f"its container restarts again and again: see `docker ps` and `docker logs {containers[0].name}`"
    # Paused by somebody else is stopped, for us: it does not wait, and thawing it is not our business.
    return RUNNING if RUNNING in states else STOPPED
