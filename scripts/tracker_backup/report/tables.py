"""Tables of text: aligned columns, the same on a terminal, in a pipe and in a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker_backup.system.space import format_bytes
from tracker_backup.system.text import on_one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker_backup.repository.manifest import Artifact, Manifest
    from tracker_backup.repository.store import Backup


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows under a heading, each column as wide as its widest cell."""
    rows = [[on_one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in (heading, *rows)) for column in range(len(heading))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (heading, *rows)]
    return "\n".join(line.rstrip() for line in lines)


def artifact_table(manifest: Manifest) -> str:
    """Return the artifacts of a backup: sizes, check, and what the copy cost the tracker."""
    heading = ("SOURCE", "RAW", "STORED", "STATE", "CHECK", "COPY", "WRITE STALL", "PAUSE")
    return table(heading, [_artifact_row(artifact) for artifact in manifest.artifacts])


def backup_table(backups: Sequence[Backup]) -> str:
    """Return a line for each backup, oldest first; below the table what is wrong with damaged ones."""
    heading = ("ID", "STATE", "SOURCES", "RAW", "STORED", "SECONDS", "WRITE STALL", "PAUSE")
    problems = [
        f"{backup.id} is unreadable: {on_one_line(str(backup.problem))}"
        for backup in backups
        if backup.manifest is None
    ]
    problems += [f"{backup.id} is damaged: {on_one_line(backup.damage)}" for backup in backups if backup.damage]
    return "\n".join([table(heading, [_backup_row(backup) for backup in backups]), *problems])


def marks(manifest: Manifest) -> tuple[str, ...]:
    """Return what there is to say about a backup in a word or two, beside its state."""
    said = {"size drop": manifest.doubtful, "accepted": manifest.accepted, "pinned": manifest.kept}
    return tuple(word for word, holds in said.items() if holds)


def check_words(artifact: Artifact) -> str:
    """Say what the engine's check found."""
    if not artifact.checks:
        return "not checked"
    check = artifact.checks[0]
    verdict = "ok" if check.get("ok") is True else "FAILED" if check.get("ok") is False else "cannot tell"
    return f"{check.get('check')} {verdict}"


def _artifact_row(artifact: Artifact) -> tuple[str, ...]:
    return (
        artifact.source,
        format_bytes(artifact.raw_bytes),
        format_bytes(artifact.bytes),
        artifact.state,
        check_words(artifact),
        f"{artifact.copy_seconds:.1f} s ({artifact.method})",
        f"{artifact.write_stall_seconds:.1f} s",
        f"{artifact.pause_seconds:.1f} s",
    )


def _backup_row(backup: Backup) -> tuple[str, ...]:
    manifest = backup.manifest
    if manifest is None:
        return (backup.id, "unreadable", "", "", "", "", "", "")
    return (
        backup.id,
        ", ".join((manifest.state, *marks(manifest))),
        ",".join(artifact.source for artifact in manifest.artifacts),
        format_bytes(manifest.raw_bytes),
        format_bytes(manifest.bytes),
        f"{sum(manifest.seconds.values()):.1f}",
        f"{sum(artifact.write_stall_seconds for artifact in manifest.artifacts):.1f} s",
        f"{sum(artifact.pause_seconds for artifact in manifest.artifacts):.1f} s",
    )
