"""Unpack an archive of files for a comparison with what is live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker_backup.errors import CheckFailedError
from tracker_backup.run.restore import room_for, unpack
from tracker_backup.sources.files.restoring import unfold
from tracker_backup.sources.registry import driver_for
from tracker_backup.system.space import require_room

if TYPE_CHECKING:
    from pathlib import Path

    from tracker_backup.report.reporter import Reporter
    from tracker_backup.repository.manifest import Artifact


def unpacked_tree(artifact: Artifact, packed: Path, tree: Path, reporter: Reporter) -> None:
    """Unpack an archive into the new directory `tree`: checksums compared, the archive and its databases checked.

    Raises CheckFailedError for a damaged one, SourceError where there is no room; nothing is left of it then.
    """
    require_room([(tree.parent, room_for(artifact), f"unpacking {artifact.source}")])
    raw = tree.with_name(f"{tree.name}.tar")
    raw.unlink(missing_ok=True)
    reporter.phase("unpack", artifact.source)
    try:
        unpack(artifact, packed, raw, reporter.progress)
        reporter.phase("check", artifact.source)
        check = driver_for(artifact.type).start_check(raw, full=False, low_priority=False, facts=artifact.engine)
        result = check.result()
        if result.ok is False:
            raise CheckFailedError(
                f"{artifact.source} fails {result.check}: {'; '.join(result.messages)}",
                hint="restore another backup: tracker-backup list",
            )
        for loss in unfold(raw, tree, artifact.engine):
            reporter.warn(f"{artifact.source}: {loss}")
    finally:
        raw.unlink(missing_ok=True)
