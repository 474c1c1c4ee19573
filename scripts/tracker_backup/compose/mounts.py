"""Read the entries of a service's `volumes:` and `tmpfs:`, short and long syntax."""

from __future__ import annotations

import os.path
import posixpath
from pathlib import Path
from typing import Any

from tracker_backup.compose.model import Mount, MountKind
from tracker_backup.errors import ConfigurationError

_MOST_PARTS = 3
_KINDS: dict[str, MountKind] = {"bind": "bind", "volume": "volume", "tmpfs": "tmpfs"}


def parse_mount(entry: Any, *, directory: Path, home: Path, where: str) -> Mount:
    """Return the mount of one entry of `volumes:`, a string or a mapping, already interpolated.

    Relative host paths are taken from `directory`, `~` is `home`; nothing is looked up on disk.
    Raises ConfigurationError for an entry that cannot be read.
    """
    if isinstance(entry, str):
        return _short(entry, directory, home, where)
    if isinstance(entry, dict):
        return _long(entry, directory, home, where)
    raise ConfigurationError(f"{where}: neither SOURCE:TARGET nor a mapping with type, source and target")


def parse_tmpfs(entry: str, *, where: str) -> Mount:
    """Return the mount of one entry of `tmpfs:`, `TARGET` or `TARGET:OPTIONS`."""
    return Mount("tmpfs", "", _target(entry.partition(":")[0], where))


def host_path(source: str, *, directory: Path, home: Path) -> str:
    """Return a host path as Compose does: `~` expanded, relative to `directory`, `.` and `..` removed by text."""
    if source == "~" or source.startswith("~/"):
        source = f"{home}{source[1:]}"
    return os.path.normpath(directory / source)


def _short(entry: str, directory: Path, home: Path, where: str) -> Mount:
    parts = entry.split(":")
    if len(parts) > _MOST_PARTS:
        raise ConfigurationError(f"{where}: {entry!r} has more than three parts", hint="use the long syntax")
    if len(parts) == 1:
        return Mount("volume", "", _target(entry, where))
    source, target = parts[0], parts[1]
    read_only = "ro" in parts[2].split(",") if len(parts) == _MOST_PARTS else False
    if not source:
        raise ConfigurationError(
            f"{where}: {entry!r} has no source", hint="a variable in it may be empty: look at .env"
        )
    if source[0] in "./~":
        return Mount("bind", host_path(source, directory=directory, home=home), _target(target, where), read_only)
    return Mount("volume", source, _target(target, where), read_only)


def _long(entry: dict[Any, Any], directory: Path, home: Path, where: str) -> Mount:
    kind = _KINDS.get(str(entry.get("type")), "other")
    source = entry.get("source", entry.get("src", ""))
    target = entry.get("target", entry.get("dst", entry.get("destination")))
    if not isinstance(source, str) or not isinstance(target, str):
        raise ConfigurationError(f"{where}: source and target must be strings")
    if kind == "bind":
        if not source:
            raise ConfigurationError(f"{where}: the bind mount at {target!r} has no source")
        source = host_path(source, directory=directory, home=home)
    read_only = entry.get("read_only", False) in (True, "true")
    options = entry.get("volume")
    subpath = options.get("subpath") if kind == "volume" and isinstance(options, dict) else None
    return Mount(kind, source, _target(target, where), read_only, subpath=str(subpath or ""))


def _target(target: str, where: str) -> str:
    if not target.startswith("/"):
        raise ConfigurationError(
            f"{where}: the path in the container, {target!r}, is not absolute",
            hint="a variable in it may be empty: look at .env",
        )
    # normpath keeps a leading double slash, which POSIX leaves open and Linux does not know.
    return "/" + posixpath.normpath(target).lstrip("/")
