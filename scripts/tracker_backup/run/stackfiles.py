"""The source that is the rest of the stack: put together from the configuration and what the stack's own files say."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING, Any

from tracker_backup.config.model import ABSENT_VARIABLE, HOST
from tracker_backup.repository.manifest import Failure
from tracker_backup.sources.files.driver import MOST_LISTED, left_json
from tracker_backup.sources.files.selection import Facts, MountFact, select
from tracker_backup.sources.files.walking import shown, survey
from tracker_backup.sources.interface import Source

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tracker_backup.config.model import Config
    from tracker_backup.repository.manifest import Artifact
    from tracker_backup.run.history import History
    from tracker_backup.stack.result import Belongings, HostMount, UnreachedVolume

FILES = "files"
MARK = "made by tracker-backup"
"""By these words in its first line the Compose file of a placement is known as ours."""
_WHY = "the stack's directory and what its services have mounted, without what other sources take"


def files_source(
    config: Config,
    databases: Iterable[Source],
    belongings: Belongings,
    *,
    why: str = _WHY,
) -> Source:
    """Return the source of a stack's files; `databases` are the other sources. Links are followed, nothing is read."""
    facts = Facts(
        stack=_real(config.stack),
        mounts=tuple(map(_mount_fact, belongings.mounts)),
        unreached={_called(item): item.problem for item in belongings.unreached},
        own={
            _real(config.repository): "our own repository",
            _real(config.staging): "our own staging directory",
            **(
                {}
                if config.placement == HOST
                else {_real(config.home): "what the role has made, and what was restored"}
            ),
        },
        databases={_real(item.path): item.name for item in databases if item.type == "sqlite"},
        single={
            _real(config.file): "our own configuration",
            **{_real(file): "a Compose file of the stack" for file in belongings.files if not is_ours(file)},
            **{_real(file): "an environment file of the stack" for file in belongings.env_files},
        },
        extra=tuple(_real(path) for path in config.files.extra_paths),
        # The Compose file that is ours is made anew by the role; without the rest of ours the stack could not start.
        exclude=(*config.files.exclude, *(glob.escape(_real(file)) for file in belongings.files if is_ours(file))),
        in_container=config.placement != HOST,
        absent=frozenset(os.environ.get(ABSENT_VARIABLE, "").split("\n")),
    )
    return Source(FILES, FILES, config.stack, why=why, scope=select(facts))


def is_ours(file: Path) -> bool:
    """Return whether a Compose file is the one that `tracker-backup compose` has printed."""
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            return MARK in opened.readline(1000)
    except OSError:
        return False


def notes_on(belongings: Belongings) -> tuple[str, ...]:
    """Say which volumes cannot be backed up; what nobody has given a name nobody expects to come back."""
    return tuple(f"files: without {_called(item)}: {item.problem}" for item in belongings.unreached if item.volume)


def lost_volumes(belongings: Belongings, taken: Iterable[Artifact], history: History) -> list[Failure]:
    """Return what the files lack that their last good backup has: with Docker down a volume may not be found.

    What has never been reached is worth a note only: nothing would ever be complete without it.
    """
    before = history.last_good(FILES)
    if before is None or not any(artifact.source == FILES for artifact in taken):
        return []
    left = before.engine.get("left_out", [])
    if before.engine.get("left_out_count") != len(left):
        return []  # nobody knows what was beyond the first of them
    known = {item["path"] for item in left}
    unasked = [item for item in belongings.unreached if item.volume and item.unasked]
    return [Failure(_called(item), item.problem) for item in unasked if shown(_called(item)) not in known]


def describe_files(source: Source) -> dict[str, Any]:
    """Return what of the stack's files is in, what is out and why, and the bytes; as JSON has it."""
    if source.scope is None:
        return {}
    found = survey(source.scope)
    return {
        "in": [
            {"path": shown(root.path), "why": root.why} for root in source.scope.roots if os.path.lexists(root.path)
        ],
        "databases": [{"path": shown(item.path), "bytes": item.status.st_size} for item in found.databases],
        "out": [left_json(left) for left in found.left[:MOST_LISTED]],
        "out_count": len(found.left),
        "unreadable": found.problems[:MOST_LISTED],
        "count": found.count,
        "bytes": found.bytes,
    }


def _called(item: UnreachedVolume) -> str:
    name = f"volume {item.volume}" if item.volume else "an anonymous volume"
    return f"{name} that service {item.service} sees at {item.target}"


def _mount_fact(mount: HostMount) -> MountFact:
    return MountFact(
        path=_real(mount.path),
        given=str(mount.path),
        target=mount.target,
        service=mount.service,
        volume=mount.volume,
        read_only=mount.read_only,
    )


def _real(path: Path | str) -> str:
    return os.path.realpath(path)
