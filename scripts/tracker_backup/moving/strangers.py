"""Who else than the stack's services has its databases open: his writes would stay behind on the old host."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.inplace.connected import connected
from tracker_backup.inplace.exchange import beside
from tracker_backup.inplace.openers import identities, openers
from tracker_backup.inplace.recovery import refuse
from tracker_backup.sources.files.walking import survey
from tracker_backup.sources.mysql.entering import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tracker_backup.inplace.interface import Opener
    from tracker_backup.sources.interface import Source


def refuse_strangers(sources: Sequence[Source]) -> None:
    """Raise RestoreError where a process has a database of a stack open, or is connected to a schema of it.

    All services have been stopped by then but the servers. Databases among the stack's files count, too. Only root
    sees all processes; connections are those that the source's own user sees, or root in the server's container.
    """
    files = [file for path in _databases(sources) for file in (path, *beside(path))]
    refuse([*openers(identities(files)), *_connections(sources)])


def _databases(sources: Iterable[Source]) -> Iterator[Path]:
    for source in sources:
        if source.type == "sqlite":
            yield Path(os.path.realpath(source.path))
        elif source.scope is not None:
            yield from (Path(member.path) for member in survey(source.scope).databases)


def _connections(sources: Iterable[Source]) -> Iterator[Opener]:
    for source in sources:
        target = source.target
        if target is not None:
            for connection in visible(target, source.path):
                sessions = lambda: connection.query("SHOW FULL PROCESSLIST")[0]  # noqa: B023, E731 - called at once
                yield from connected(sessions, target.schema, target.server)
