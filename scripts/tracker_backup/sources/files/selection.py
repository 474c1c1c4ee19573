"""What of a host belongs to a stack, and what of that stays out; pure functions over facts, a reason for each thing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from posixpath import basename, dirname

from tracker_backup.sources.files.systemplaces import belongs_to_the_system

FILE, DIRECTORY, SYMLINK, SOCKET, FIFO, DEVICE = "file", "directory", "symlink", "socket", "FIFO", "device"
LISTED, PATTERN, COVERED = "listed", "pattern", "covered"

_LOG = re.compile(r".*\.log([.-][0-9][0-9TZ._-]*)?(\.(gz|xz|bz2|zst))?", re.IGNORECASE | re.DOTALL)
_REPLACED = re.compile(r"pre-restore-[0-9]{8}T[0-9]{6}Z-.*|\..*\.restoring-[0-9]{8}T[0-9]{6}Z-.*", re.DOTALL)
_SIDECAR = re.compile(r"-(wal|shm|journal|mj[0-9A-F]{8,9})\Z")  # the last is a super-journal: vdbe.c, vdbeCommit
_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_MYSQL = frozenset({"ibdata1", "mysql.ibd", "aria_log_control"})
_POSTGRESQL = frozenset({"PG_VERSION", "base", "global"})
_DATA_TARGETS = {
    "/var/lib/mysql": "MySQL",
    "/bitnami/mysql": "MySQL",
    "/bitnami/mariadb": "MariaDB",
    "/var/lib/postgresql": "PostgreSQL",
    "/bitnami/postgresql": "PostgreSQL",
}
_NOT_BY_FILES = "files of a server at work are no backup of it; a dump is"


@dataclass(frozen=True)
class MountFact:
    """A directory or file that a service sees at `target`: `path` with links resolved, `given` as the stack has it."""

    path: str
    given: str
    target: str
    service: str
    volume: str | None = None
    read_only: bool = False


@dataclass(frozen=True)
class Facts:
    """What there is to choose from; paths are absolute, with links resolved.

    `own` are directories of this program and what they are, `databases` files that other sources take and those
    sources' names, `single` files beside the stack that belong to it and what they are, `unreached` volumes and why
    the host cannot reach them. `in_container`: we may see less than the host has; of that the places `absent` are not
    on the host either.
    """

    stack: str
    mounts: tuple[MountFact, ...] = ()
    own: Mapping[str, str] = field(default_factory=dict)
    databases: Mapping[str, str] = field(default_factory=dict)
    single: Mapping[str, str] = field(default_factory=dict)
    extra: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    unreached: Mapping[str, str] = field(default_factory=dict)
    in_container: bool = False
    absent: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Root:
    """A directory or file that is taken, and why."""

    path: str
    why: str


@dataclass(frozen=True)
class Left:
    """Something that stays out, and why; `rule` is `listed`, `pattern` or `covered` (by something that is in)."""

    path: str
    reason: str
    rule: str


@dataclass(frozen=True)
class Entry:
    """Something met on the way: `names` are a directory's entries, `beside` those of the directory that it lies in."""

    path: str
    kind: str
    names: frozenset[str] = frozenset()
    beside: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Scope:
    """What is taken, and the mounts that are not."""

    facts: Facts
    roots: tuple[Root, ...]
    left: tuple[Left, ...]


def select(facts: Facts) -> Scope:
    """Choose the directories and files to take from what belongs to a stack."""
    roots = [Root(facts.stack, "the stack's directory")]
    roots += [Root(path, "named in files.extra_paths") for path in facts.extra]
    left = [Left(volume, problem, LISTED) for volume, problem in facts.unreached.items()]
    for mount in facts.mounts:
        known = next((root for root in roots if inside(mount.path, root.path)), None)
        if known is not None:
            left += [] if inside(mount.path, facts.stack) else [_covered(mount, known)]
            continue
        system = None if mount.volume else belongs_to_the_system(mount.given) or belongs_to_the_system(mount.path)
        if system is not None:
            left.append(Left(mount.given, f"{system} ({_seen(mount)})", LISTED))
        else:
            roots.append(Root(mount.path, _mount_words(mount)))
    for path, what in facts.single.items():
        if not any(inside(path, root.path) for root in roots):
            roots.append(Root(path, what))
    return Scope(facts, tuple(roots), tuple(left))


def reason_to_leave(scope: Scope, entry: Entry) -> Left | None:
    """Return why something stays out altogether, or None."""
    facts, path = scope.facts, entry.path
    pattern = _excluding(facts, path)
    if pattern is not None:
        return Left(path, f"files.exclude names {pattern}", LISTED)
    if entry.kind in (SOCKET, FIFO, DEVICE):
        return Left(path, f"a {entry.kind}", PATTERN)
    source = _source_of(path, facts.databases)
    if source is not None:
        return Left(path, f"source {source} takes it", LISTED)
    return None if _wanted(scope, path) else _by_name(facts, entry)


def reason_to_empty(scope: Scope, entry: Entry) -> Left | None:
    """Return why of a directory only itself is taken, with its owner and mode, and nothing in it; or None."""
    path = entry.path
    if path in scope.facts.own:
        return Left(path, scope.facts.own[path], LISTED)
    if _wanted(scope, path):
        return None
    listed = _by_target(scope.facts.mounts, path)
    if listed is not None:
        return Left(path, listed, LISTED)
    found = _by_contents(entry) or _log_words(scope, path)
    return None if found is None else Left(path, found, PATTERN)


def mounts_within(scope: Scope) -> list[str]:
    """Return the mounts below what is taken: each is looked at by itself, whatever the directory is that holds it.

    Beside a server's data, say, lies its configuration. What is ours, or below something excluded, is not among them.
    """
    facts = scope.facts
    return [
        mount.path
        for mount in facts.mounts
        if any(inside(mount.path, root.path) for root in scope.roots)
        and not any(inside(mount.path, own) for own in facts.own)
        and all(_excluding(facts, place) is None for place in _ways(mount.path))
    ]


def inside(path: str, directory: str) -> bool:
    """Return whether a path is a directory, or below it."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def database_of(path: str) -> str | None:
    """Return the database that something belongs to if one lies beside it, going by the names that SQLite gives."""
    found = _SIDECAR.search(path)
    return None if found is None else path[: found.start()]


def writer_of(scope: Scope, path: str) -> MountFact | None:
    """Return the mount through which a service writes to a file, the longest where there are several; None if none."""
    writing = [mount for mount in scope.facts.mounts if not mount.read_only and inside(path, mount.path)]
    return max(writing, key=lambda mount: len(mount.path), default=None)


def _excluding(facts: Facts, path: str) -> str | None:
    """Return the pattern of files.exclude that names a path; a name for any place does not mean the stack itself."""
    patterns = [each for each in facts.exclude if "/" in each or path != facts.stack]
    return next((each for each in patterns if _matches(each, path, facts.stack)), None)


def _ways(path: str) -> list[str]:
    """Return a path and the directories that it lies in."""
    parts = path.split("/")
    return ["/".join(parts[:number]) for number in range(2, len(parts) + 1)]


def _by_name(facts: Facts, entry: Entry) -> Left | None:
    path, name = entry.path, basename(entry.path)
    if dirname(path) == f"{facts.stack}/storage/backup" and name != "etc":
        return Left(path, "what an older backup has left", LISTED)
    # A store of LevelDB's kind keeps its newest records in a file of that name.
    if entry.kind == FILE and _LOG.fullmatch(name) and "CURRENT" not in entry.beside:
        return Left(path, "a log", PATTERN)
    if _REPLACED.fullmatch(name):
        return Left(path, "what a restore in place has replaced, or is about to put there", PATTERN)
    if entry.kind == DIRECTORY and name == "lost+found":
        return Left(path, "the file system's own", PATTERN)
    return None


def _by_target(mounts: tuple[MountFact, ...], path: str) -> str | None:
    for mount in mounts:
        if mount.path != path:
            continue
        engine = _DATA_TARGETS.get(mount.target) or _DATA_TARGETS.get(dirname(mount.target))
        if engine is not None:
            return f"data of {engine} ({_seen(mount)}): {_NOT_BY_FILES}"
        if mount.target == "/prometheus":
            return f"time series of Prometheus ({_seen(mount)})"
    return None


def _by_contents(entry: Entry) -> str | None:
    names = entry.names
    if names & _MYSQL:
        return f"data of MySQL or MariaDB: {_NOT_BY_FILES}"
    if names >= _POSTGRESQL:
        return f"data of PostgreSQL: {_NOT_BY_FILES}"
    if "chunks_head" in names or ("wal" in names and any(map(_ULID.fullmatch, names))):
        return "time series of Prometheus"
    if basename(entry.path) == "objects" and "/.git/" in entry.path and {"HEAD", "refs"} <= entry.beside:
        return "objects of git, which are where it was cloned from"
    return None


def _log_words(scope: Scope, path: str) -> str | None:
    # Who mounts the whole stack does not make every directory of that name its log.
    writing = [m for m in scope.facts.mounts if not m.read_only and not inside(scope.facts.stack, m.path)]
    named = basename(path) in ("log", "logs") and any(inside(path, mount.path) for mount in writing)
    mounted = any(mount.path == path and inside(mount.target, "/var/log") for mount in writing)
    return "logs that a service writes" if named or mounted else None


def _wanted(scope: Scope, path: str) -> bool:
    return any(inside(path, extra) for extra in scope.facts.extra)


def _source_of(path: str, databases: Mapping[str, str]) -> str | None:
    return databases.get(path) or databases.get(database_of(path) or "")


def _matches(pattern: str, path: str, stack: str) -> bool:
    """Return whether a pattern names a path, in the stack if it is not absolute; a name alone goes for any place."""
    if "/" not in pattern:
        return fnmatchcase(basename(path), pattern)
    absolute = pattern if pattern.startswith("/") else f"{stack}/{pattern}"
    return fnmatchcase(path, absolute.rstrip("/"))


def _covered(mount: MountFact, root: Root) -> Left:
    return Left(mount.given, f"it is in {root.path} ({_seen(mount)})", COVERED)


def _mount_words(mount: MountFact) -> str:
    what = f"volume {mount.volume}" if mount.volume else "mounted"
    return f"{what} at {mount.target} by service {mount.service}"


def _seen(mount: MountFact) -> str:
    return f"service {mount.service} sees it at {mount.target}"
