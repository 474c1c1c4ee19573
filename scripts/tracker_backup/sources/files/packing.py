"""Pack files into one archive; what changes while it is read is taken again, and what does not hold still is told."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker_backup.errors import DeadlineError, SourceError
from tracker_backup.sources.files import archive
from tracker_backup.sources.files.selection import FILE
from tracker_backup.sources.files.walking import Member, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tracker_backup.sources.files.databases import Within
    from tracker_backup.sources.interface import CopyContext

MOST_ATTEMPTS = 3

Signature = tuple[int, int, int, int, int]


@dataclass(frozen=True)
class Packed:
    """What became of the members: `gone` could not be taken any more, `restless` changed in every attempt."""

    names: tuple[bytes, ...]
    gone: tuple[str, ...]
    restless: tuple[str, ...]


def pack(members: Sequence[Member], within: Sequence[Within], tree: Path, raw: Path, context: CopyContext) -> Packed:
    """Write `raw`, a new archive of the members, and of the databases whose copies lie below `tree`.

    Raises SourceError when something that is there cannot be read, or is not in the archive afterwards.
    """
    restless = _pack_members(members, raw, context)
    for database in within:
        if archive.append([database.member.path], raw, str(tree), owned_as=database.member):
            raise _unreadable(str(database.snapshot.path))
        database.snapshot.path.unlink()
    taken = tuple(archive.names(raw))
    return Packed(taken, _gone([*members, *(item.member for item in within)], taken), restless)


def _pack_members(members: Sequence[Member], raw: Path, context: CopyContext) -> tuple[str, ...]:
    """Archive the members, and those that change meanwhile again; return those that changed every time."""
    files = [member for member in members if member.kind == FILE]
    before = _signatures(member.path for member in files)
    pace = _Pace(sum(m.stored_bytes for m in members), context)
    cut_short = archive.create((member.path for member in members), raw, pace)
    changed = _changed(before)
    _require_whole(cut_short, before, changed)
    for _ in range(MOST_ATTEMPTS):
        if not changed:
            break
        again = _with_their_links(changed, files)
        before = _signatures(again)
        cut_short = archive.append(before, raw)
        changed = _changed(before)
        _require_whole(cut_short, before, changed)
    return tuple(changed)


class _Pace:
    """Tells how far the archive is, holds it back at a rate limit, and ends it when the run's time is over."""

    def __init__(self, total: int, context: CopyContext) -> None:
        self._total = total
        self._context = context
        self._began = time.monotonic()

    def __call__(self, done: int) -> None:
        now, context = time.monotonic(), self._context
        if now > context.deadline:
            raise DeadlineError("max_run_seconds passed while the files were being copied")
        context.progress(min(done, self._total), self._total)
        if context.rate_limit_bytes_per_second:
            ahead = done / context.rate_limit_bytes_per_second - (now - self._began)
            time.sleep(max(0.0, min(ahead, context.deadline - now)))


def _signatures(paths: Iterable[str]) -> dict[str, Signature]:
    """Return what tells a file from what it was, of those that are there."""
    return {path: signature for path in paths if (signature := _signature(path)) is not None}


def _signature(path: str) -> Signature | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _changed(before: dict[str, Signature]) -> list[str]:
    """Return the paths whose files are others than before; what is gone is not among them."""
    after = {path: _signature(path) for path in before}
    return [path for path, signature in before.items() if after[path] not in (None, signature)]


def _require_whole(cut_short: Iterable[bytes], before: Iterable[str], changed: Sequence[str]) -> None:
    """Raise SourceError for a file that is as long as it was, and could yet not be read to its end."""
    by_name = {archive.member_name(path): path for path in before}
    for path in map(by_name.get, cut_short):
        if path is not None and path not in changed and os.path.lexists(path):
            raise _unreadable(path)


def _unreadable(path: str) -> SourceError:
    return SourceError(
        f"{shown(path)} could be read in part only: the disk reports an error",
        hint="look at `dmesg` and the disk; to do without the file: files.exclude",
    )


def _with_their_links(paths: Sequence[str], files: Sequence[Member]) -> list[str]:
    """Return paths with all other names of the same files: taken alone, one would be a file of its own afterwards."""
    changed = set(paths)
    linked = {(m.status.st_dev, m.status.st_ino) for m in files if m.path in changed and m.status.st_nlink > 1}
    return [m.path for m in files if m.path in changed or (m.status.st_dev, m.status.st_ino) in linked]


def _gone(wanted: Sequence[Member], taken: Sequence[bytes]) -> tuple[str, ...]:
    there = set(taken)
    missing = [member.path for member in wanted if archive.member_name(member.path) not in there]
    unexplained = [path for path in missing if os.path.lexists(path)]
    if unexplained:
        raise SourceError(
            f"tar has left out {', '.join(map(shown, unexplained[:3]))}",
            hint="run the backup again; if it stays so, leave it out with files.exclude",
        )
    return tuple(missing)
