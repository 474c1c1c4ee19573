"""What a restore of files in place leaves as it is, though it is not as in the backup: that must not go unsaid."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from tracker_backup.sources.files.selection import inside
from tracker_backup.sources.files.walking import shown, survey

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from tracker_backup.inplace.site import Site
    from tracker_backup.sources.files.selection import Scope

_MOST_NAMED = 3


def not_in_backup(site: Site, source: str, ours: Collection[str]) -> tuple[str, ...]:
    """Say how many files there are besides `ours`; nothing where the stack cannot tell what belongs to it."""
    scope = _scope(site, source)
    if site.paths or scope is None:
        return ()
    others = [shown(member.path) for member in survey(scope).members if member.path not in ours]
    return (f"left alone    {len(others)} that are not in the backup: {_listed(others)}",) if others else ()


def dressed_otherwise(site: Site, source: str, kept: Sequence[tuple[Path, Path]]) -> tuple[str, ...]:
    """Say which databases and directories keep an owner or a mode that they do not have in the backup.

    `kept` are pairs of what was unpacked and what is live. The directories on the way to what is backed up are no part
    of it: those that were unpacked tar has made up.
    """
    scope = _scope(site, source)
    roots = [os.path.realpath(site.stack), *(root.path for root in (() if scope is None else scope.roots))]
    differing = [
        f"{shown(str(live))} ({words})"
        for tree, live in kept
        if any(inside(str(live), root) for root in roots) and (words := _other_dress(tree, live)) is not None
    ]
    return (f"left alone    owner and mode of {len(differing)}: {_listed(differing)}",) if differing else ()


def _scope(site: Site, source: str) -> Scope | None:
    known = site.sources.get(source)
    return None if known is None else known.scope


def _other_dress(tree: Path, live: Path) -> str | None:
    try:
        there, then = live.lstat(), tree.lstat()
    except FileNotFoundError:
        return None  # it is put there with all that it had
    owned = os.geteuid() == 0 and (there.st_uid, there.st_gid) != (then.st_uid, then.st_gid)
    if not owned and stat.S_IMODE(there.st_mode) == stat.S_IMODE(then.st_mode):
        return None
    return f"{_worn(there)}, in the backup {_worn(then)}"


def _worn(status: os.stat_result) -> str:
    return f"{status.st_uid}:{status.st_gid} {stat.S_IMODE(status.st_mode):04o}"


def _listed(things: Sequence[str]) -> str:
    return ", ".join(things[:_MOST_NAMED]) + (", …" if len(things) > _MOST_NAMED else "")
