"""What restores in place have replaced and nobody has deleted since: it takes room, and nobody else tells of it."""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.inplace.marker import MARKER_NAME
from tracker_backup.inplace.places import KEPT_PREFIX, existing_parent
from tracker_backup.sources.files.walking import shown, survey
from tracker_backup.sources.mysql.checksums import quoted
from tracker_backup.sources.mysql.entering import visible
from tracker_backup.sources.mysql.ways import ServerRefusalError

if TYPE_CHECKING:
    from tracker_backup.config.model import Config
    from tracker_backup.sources.interface import Source

_KEPT_SCHEMA = re.compile(r"(?P<schema>.*)_pre_restore_(?P<stamp>[0-9]{8}T[0-9]{6}Z)_\w+", re.DOTALL | re.IGNORECASE)
_SCHEMAS = (
    "SELECT SCHEMA_NAME, COALESCE(SUM(COALESCE(DATA_LENGTH, 0) + COALESCE(INDEX_LENGTH, 0)), 0)"
    " FROM information_schema.SCHEMATA LEFT JOIN information_schema.TABLES ON TABLE_SCHEMA = SCHEMA_NAME"
    " WHERE LOCATE('_pre_restore_', SCHEMA_NAME) > 0 GROUP BY SCHEMA_NAME"
)


@dataclass(frozen=True)
class Kept:
    """One thing that is kept: where it is, the bytes that it takes, for how long, and what removes it.

    Of a schema nobody knows for how long: at most since its backup was made, which `at_most` says.
    """

    place: str
    bytes: int
    age_seconds: float
    removal: str
    at_most: bool = False


def kept(config: Config, sources: Sequence[Source]) -> list[Kept]:
    """Return all of it; nothing while a restore is noted, which may still need it.

    Of a server only what the source's own user sees, or its administrator, where it answers.
    """
    if (config.state_directory / MARKER_NAME).exists():
        return []
    return [*kept_files(config, sources), *kept_schemas(sources)]


def kept_files(config: Config, sources: Iterable[Source]) -> list[Kept]:
    """Return the directories and files beside the databases, in the stack and beside it, and in the state directory."""
    now = time.time()
    found = []
    for path in sorted(set(_places(config, sources))):
        status = path.lstat()
        removal = shlex.join(["sudo", "rm", "-r", "--", str(path)])
        found.append(Kept(shown(str(path)), _bytes(path), max(0.0, now - status.st_mtime), removal))
    return found


def kept_schemas(sources: Iterable[Source]) -> list[Kept]:
    """Return the schemas that hold the tables that those of the sources had."""
    now = time.time()
    found = {}
    for source in sources:
        target = source.target
        if target is None:
            continue
        for connection in visible(target, source.path):
            try:
                listed = connection.query(_SCHEMAS)[0]
            except ServerRefusalError:
                continue  # what keeps it from being asked is told of the source
            for name, size in listed:
                made = _made(name, target.schema)
                if made is not None:
                    place, age = f"schema {name} on {target.server}", max(0.0, now - made)
                    removal = f"DROP DATABASE {quoted(name)}, as its administrator"
                    found[place] = Kept(place, int(size), age, removal, at_most=True)
    return [found[place] for place in sorted(found)]


def _made(name: str, schema: str) -> float | None:
    """Return when the backup was made that a schema of that name was replaced by, None for a schema of others."""
    matched = _KEPT_SCHEMA.fullmatch(name)
    if matched is None or not schema.lower().startswith(matched["schema"].lower()):
        return None
    return datetime.strptime(matched["stamp"].upper(), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _places(config: Config, sources: Iterable[Source]) -> Iterator[Path]:
    stack = Path(os.path.realpath(config.stack))
    beside = {existing_parent(stack), config.state_directory}
    for source in sources:
        if source.type == "sqlite":
            beside.add(Path(os.path.realpath(source.path)).parent)
        elif source.scope is not None:
            yield from (Path(left.path) for left in survey(source.scope).left if _is_kept(left.path))
    for directory in beside:
        yield from directory.glob(f"{KEPT_PREFIX}*")


def _is_kept(path: str) -> bool:
    return os.path.basename(path).startswith(KEPT_PREFIX)  # noqa: PTH119 - a name of any bytes


def _bytes(path: Path) -> int:
    """Return what the disk has given for it."""
    paths = [path, *(Path(directory, name) for directory, names, files in os.walk(path) for name in (*names, *files))]
    return sum(each.lstat().st_blocks * 512 for each in paths)
