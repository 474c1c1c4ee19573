"""Read stored backups again, from the disk, and say whether they still hold what was put in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker_backup.errors import CheckFailedError
from tracker_backup.repository.marks import note_damage
from tracker_backup.run.artifact import hash_file
from tracker_backup.run.restore import room_for, unpack
from tracker_backup.sources.registry import driver_for
from tracker_backup.system.space import require_room

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracker_backup.report.reporter import Reporter
    from tracker_backup.repository.manifest import Artifact
    from tracker_backup.repository.store import Backup, Repository


@dataclass(frozen=True)
class Finding:
    """What is known of one artifact, or with `source` None of a backup as a whole; `ok` is None where not told."""

    backup: str
    source: str | None
    ok: bool | None
    what: str


def verify_backup(backup: Backup, repository: Repository, reporter: Reporter, *, full: bool) -> list[Finding]:
    """Compare every artifact's size and checksum with the manifest; with `full`, unpack it and run the engine's check.

    There is nothing to say of one that is deleted meanwhile.

    Raises SourceError where there is no room to unpack, OSError where the disk fails on our side.
    """
    findings = _findings(backup, repository, reporter, full=full)
    # A run, or a person, may have deleted it meanwhile: it takes hours to read a large repository.
    return findings if os.path.lexists(backup.path) else []


def _findings(backup: Backup, repository: Repository, reporter: Reporter, *, full: bool) -> list[Finding]:
    if backup.manifest is None:
        return [Finding(backup.id, None, ok=False, what=backup.problem or "it has no manifest")]
    findings = [] if backup.manifest.artifacts else [Finding(backup.id, None, ok=False, what="it has no artifact")]
    for artifact in backup.manifest.artifacts:
        findings.append(_stored(backup, artifact, reporter))
        if full and findings[-1].ok:
            findings[-1] = _unpacked(backup, artifact, repository, reporter)
    return findings


def note_findings(backup: Backup, findings: Sequence[Finding], *, full: bool) -> bool:
    """Note in a backup what was found of it, so that it counts accordingly; return whether anything is new.

    Only `full` takes back that an artifact is damaged: its checksum may agree, and its database be broken.
    Raises RepositoryError where it cannot be noted.
    """
    verdicts = {finding.source: finding.ok for finding in findings}
    changed = False
    for artifact in () if backup.manifest is None else backup.manifest.artifacts:
        ok = verdicts.get(artifact.source)
        if ok is False or (full and ok):
            changed |= note_damage(backup, artifact, damaged=not ok)
    return changed


def _stored(backup: Backup, artifact: Artifact, reporter: Reporter) -> Finding:
    reporter.phase("verify", f"{backup.id}/{artifact.source}")
    path = backup.path / artifact.file
    try:
        size, sha256 = hash_file(path, reporter.progress)
    except OSError as error:
        return Finding(backup.id, artifact.source, ok=False, what=f"{path} cannot be read: {error.strerror}")
    if size != artifact.bytes:
        what = f"{path} has {size} bytes, and {artifact.bytes} were stored"
        return Finding(backup.id, artifact.source, ok=False, what=what)
    if sha256 != artifact.sha256:
        return Finding(backup.id, artifact.source, ok=False, what=f"{path} has changed since it was stored")
    return Finding(backup.id, artifact.source, ok=True, what="checksum agrees")


def _unpacked(backup: Backup, artifact: Artifact, repository: Repository, reporter: Reporter) -> Finding:
    with repository.scratch() as directory:
        require_room([(directory, room_for(artifact), f"unpacking {artifact.source}")])
        raw = directory / artifact.source
        try:
            unpack(artifact, backup.path / artifact.file, raw, reporter.progress)
        except CheckFailedError as error:
            return Finding(backup.id, artifact.source, ok=False, what=error.message)
        return _checked(backup, artifact, raw, reporter)


def _checked(backup: Backup, artifact: Artifact, raw: Path, reporter: Reporter) -> Finding:
    reporter.phase("check", f"{backup.id}/{artifact.source}")
    check = driver_for(artifact.type).start_check(raw, full=True, low_priority=False, facts=artifact.engine)
    result = check.result()
    said = "; ".join(result.messages)
    if result.ok:
        return Finding(backup.id, artifact.source, ok=True, what=f"checksums agree, {result.check} {said}")
    unknown = f"{result.check} cannot tell: {said}"
    return Finding(backup.id, artifact.source, result.ok, unknown if result.ok is None else f"{result.check}: {said}")
