"""Which types of source can be put back in place, and who does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker_backup.errors import UsageError

if TYPE_CHECKING:
    from tracker_backup.inplace.interface import Replacement, State
    from tracker_backup.inplace.site import Site
    from tracker_backup.repository.manifest import Artifact

ORDER = ("files", "sqlite", "mysql")
"""Files first: on a bare host they make the directories that databases go into."""


def make_replacement(
    source_type: str, site: Site, source: str, artifact: Artifact | None, state: State | None = None
) -> Replacement:
    """Return the replacement of a source; with `state`, the one that a dead process has left.

    Raises UsageError for a type that cannot be put back in place.
    """
    if source_type == "sqlite":
        from tracker_backup.inplace.sqlite import make as make_sqlite

        return make_sqlite(site, source, artifact, state)
    if source_type == "files":
        from tracker_backup.inplace.files import make as make_files

        return make_files(site, source, artifact, state)
    if source_type == "mysql":
        from tracker_backup.inplace.mysql import make as make_mysql

        return make_mysql(site, source, artifact, state)
    raise UsageError(
        f"{source} is of type {source_type}, which cannot be restored in place yet",
        hint="restore it into a directory with --to; choose others with --source",
    )
