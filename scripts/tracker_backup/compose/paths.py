"""Find the host's path of a container's path through the longest mount that covers it."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tracker_backup.compose.model import Mount

MountScope = Literal["directory", "file"]


@dataclass(frozen=True)
class OnHost:
    """The path lies at `path` on the host; `scope` tells whether the file itself or a directory of it is mounted."""

    path: Path
    mount: Mount
    scope: MountScope


@dataclass(frozen=True)
class NotOnHost:
    """The host has no path for it; `mount` (a lost volume, a tmpfs) covers it, or None does: the container's layer."""

    mount: Mount | None


def normal(container_path: str, *, base: str = "/") -> str:
    """Return an absolute path in a container; a relative one is taken from `base`. `.` and `..` are removed by text."""
    return "/" + posixpath.normpath(posixpath.join(base, container_path)).lstrip("/")


def locate(container_path: str, mounts: Sequence[Mount]) -> OnHost | NotOnHost:
    """Return where the absolute path in the container lies; of equal mounts the last one wins.

    Nothing is looked up on disk: symbolic links are resolved by whoever opens the path.
    """
    path = normal(container_path)
    covering = [mount for mount in mounts if _covers(mount.target, path)]
    if not covering:
        return NotOnHost(None)
    longest = max(reversed(covering), key=lambda mount: len(mount.target))
    host = longest.source if longest.kind == "bind" else longest.host
    if not host:
        return NotOnHost(longest)
    rest = posixpath.relpath(path, longest.target)
    if rest == ".":
        return OnHost(Path(host), longest, "file")
    return OnHost(Path(host) / rest, longest, "directory")


def _covers(target: str, path: str) -> bool:
    return path == target or path.startswith(target.rstrip("/") + "/")
