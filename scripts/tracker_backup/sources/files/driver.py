"""The files of a stack as a type of source: walk, copy the databases within, pack the rest, check."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tracker_backup.errors import SourceError
from tracker_backup.sources.files import archive
from tracker_backup.sources.files.check import TarCheck, digest
from tracker_backup.sources.files.databases import copy_all, forecast_all
from tracker_backup.sources.files.packing import Packed, pack
from tracker_backup.sources.files.selection import DIRECTORY, FILE, SYMLINK
from tracker_backup.sources.files.walking import Survey, shown, survey
from tracker_backup.sources.interface import Forecast, Snapshot
from tracker_backup.sources.sqlite.strategy import switch_command
from tracker_backup.system.files import remove_tree
from tracker_backup.system.space import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tracker_backup.sources.files.databases import Within
    from tracker_backup.sources.files.selection import Left, Scope
    from tracker_backup.sources.interface import CopyContext, Source

METHOD = "tar"
MOST_LISTED = 100
_BYTES_PER_SECOND = 200 * 1024**2
"""A guess at how fast files are packed; nobody waits for it."""
_WORTH_A_WORD_SECONDS = 0.5


class FilesDriver:
    """Takes and checks the files of a stack."""

    artifact_suffix = ".tar.zst"
    restored_suffix = ""

    def take(self, source: Source, context: CopyContext) -> Snapshot:
        """Copy everything that was selected into one archive, while it is used.

        Raises SourceError when something cannot be read, or a database within cannot be copied at a bearable cost.
        """
        scope, snapshot_at, began = _scope(source), datetime.now(UTC), time.monotonic()
        version = archive.version()
        found = survey(scope)
        found.require_readable()
        raw, tree = context.directory / f"{source.name}.tar", context.directory / "tree"
        tree.mkdir(mode=0o700)
        within = copy_all(found.databases, scope, context, tree)
        packed = pack(found.members, within, tree, raw, context)
        remove_tree(tree)
        _tell(packed, context)
        return Snapshot(
            source=source,
            path=raw,
            snapshot_at=snapshot_at,
            raw_bytes=raw.stat().st_size,
            method=METHOD,
            seconds=time.monotonic() - began,
            write_stall_seconds=sum(item.snapshot.write_stall_seconds for item in within),
            pause_seconds=sum(item.snapshot.pause_seconds for item in within),
            engine={"name": "tar", "version": version, **_facts(found, within, packed)},
        )

    def forecast(self, source: Source, context: CopyContext) -> Forecast:
        """Return what a copy would cost now, and change nothing."""
        scope = _scope(source)
        archive.version()
        found = survey(scope)
        found.require_readable()
        costs = forecast_all(found.databases, scope, context)
        databases = f", {len(costs)} SQLite database{'s' if len(costs) > 1 else ''} among them" if costs else ""
        return Forecast(
            method=METHOD,
            raw_bytes=room_for(found),
            seconds=found.bytes / _BYTES_PER_SECOND + sum(cost.seconds for cost in costs),
            stall_seconds=sum(cost.stall_seconds for cost in costs),
            pause_seconds=sum(cost.pause_seconds for cost in costs),
            advice=_advice(found, costs),
            detail=f"{found.count} files and directories with {format_bytes(found.bytes)} of contents{databases}",
        )

    def start_check(
        self,
        path: Path,
        *,
        full: bool,
        low_priority: bool,
        facts: Mapping[str, Any] | None = None,
    ) -> TarCheck:
        """Start reading an archive to its end; its members are compared with what `facts` say.

        With `full` the databases in it are checked by integrity_check.
        """
        return TarCheck(path, facts or {}, full=full, low_priority=low_priority)

    def estimate_bytes(self, source: Source) -> int:
        """Return what a copy takes in staging: the archive, and beside it the databases that come last."""
        return room_for(survey(_scope(source)))


def room_for(found: Survey) -> int:
    """Return the bytes that staging needs for what was found."""
    beside = sum(member.stored_bytes for member in found.databases)
    return found.bytes + beside + (found.count + 7) * archive.HEADER_BYTES


def _scope(source: Source) -> Scope:
    if source.scope is None:
        raise SourceError(f"nothing says what {source.name} takes")
    return source.scope


def _advice(found: Survey, costs: list[Forecast]) -> str:
    """Say how databases would cost less, where that is worth a word; none of them is ours to switch."""
    dear = [
        switch_command(member.path)
        for member, cost in zip(found.databases, costs, strict=True)
        if cost.stall_seconds + cost.pause_seconds >= _WORTH_A_WORD_SECONDS
    ]
    return f"in WAL mode it would cost nothing; once: {'; '.join(dear)}" if dear else ""


def _tell(packed: Packed, context: CopyContext) -> None:
    if packed.restless:
        context.warn(
            f"{_listed(packed.restless)} changed each time {'it was' if len(packed.restless) == 1 else 'they were'} "
            "read: the copy may hold half of a change; files.exclude leaves out what nobody needs"
        )
    if packed.gone:
        context.warn(f"{_listed(packed.gone)} went away before the copy came to it")


def _listed(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""  # noqa: PLR2004 - shown
    return f"{', '.join(map(shown, paths[:3]))}{more}"


def _facts(found: Survey, within: list[Within], packed: Packed) -> dict[str, Any]:
    kinds = [member.kind for member in found.members]
    return {
        "files": kinds.count(FILE) + len(within),
        "directories": kinds.count(DIRECTORY),
        "links": kinds.count(SYMLINK),
        "content_bytes": found.bytes,
        "members": len(packed.names),
        "names_sha256": digest(packed.names),
        "databases": [item.to_json() for item in within],
        "changed": _bounded(packed.restless),
        "gone": _bounded(packed.gone),
        "left_out": [left_json(left) for left in found.left[:MOST_LISTED]],
        "left_out_count": len(found.left),
    }


def left_json(left: Left) -> dict[str, str]:
    """Return what stays out as it stands in the manifest, and as `discover --json` shows it."""
    return {"path": shown(left.path), "reason": left.reason, "rule": left.rule}


def _bounded(paths: Iterable[str]) -> list[str]:
    return [shown(path) for path in list(paths)[:MOST_LISTED]]
