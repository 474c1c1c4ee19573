"""Go through what was selected: what is there, what stays out, what cannot be read; nothing is changed by it.

It opens files to see whether they are SQLite databases, so nobody in this process may have one open meanwhile.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.errors import SourceError
from tracker_backup.sources.files import selection
from tracker_backup.sources.files.selection import DEVICE, DIRECTORY, FIFO, FILE, SOCKET, SYMLINK, Entry, Left
from tracker_backup.system.filesystem import mount_of
from tracker_backup.system.text import on_one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker_backup.sources.files.selection import Scope

_MAGIC = b"SQLite format 3\x00"
_SMALLEST_DATABASE = 512
_KINDS = {stat.S_IFREG: FILE, stat.S_IFDIR: DIRECTORY, stat.S_IFLNK: SYMLINK, stat.S_IFSOCK: SOCKET, stat.S_IFIFO: FIFO}
_PASSING = frozenset({
    "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "fusectl",
    "hugetlbfs", "mqueue", "nsfs", "overlay", "proc", "pstore", "ramfs", "securityfs", "sysfs", "tmpfs", "tracefs",
})  # fmt: skip
"""Types of file systems that hold nothing to keep."""


@dataclass(frozen=True)
class Member:
    """Something to take: its absolute path, and what lstat said of it."""

    path: str
    status: os.stat_result

    @property
    def kind(self) -> str:
        """One of the kinds that :mod:`selection` knows."""
        return _KINDS.get(stat.S_IFMT(self.status.st_mode), DEVICE)

    @property
    def stored_bytes(self) -> int:
        """The bytes of content that a tar holds of it: a sparse file's holes are not among them."""
        return min(self.status.st_size, self.status.st_blocks * 512 + 512) if self.kind == FILE else 0


@dataclass
class Survey:
    """What was found: `members` to take as they are, `databases` to copy, what is `left` out, and `problems`."""

    members: list[Member] = field(default_factory=list)
    databases: list[Member] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many things are to be taken."""
        return len(self.members) + len(self.databases)

    @property
    def bytes(self) -> int:
        """The bytes of content in all that is to be taken."""
        return sum(member.stored_bytes for member in (*self.members, *self.databases))

    def require_readable(self) -> None:
        """Raise SourceError, with the paths and what to do, unless all can be read."""
        if self.problems:
            more = f"; and {len(self.problems) - 3} more" if len(self.problems) > 3 else ""  # noqa: PLR2004 - shown
            raise SourceError(
                f"cannot be read: {'; '.join(self.problems[:3])}{more}",
                hint="run it as root (with sudo), look at the disk, or leave it out with files.exclude",
            )


def survey(scope: Scope) -> Survey:
    """Go through everything that was selected, in the order of names."""
    found = Survey(left=list(scope.left))
    walk = _Walk(scope, found)
    for root in scope.roots:
        walk.root(root.path)
    for path in selection.mounts_within(scope):
        walk.mount(path)
    for mount in scope.facts.mounts:
        for link in links_on_the_way(mount.given):
            walk.link(link)
    return found


def links_on_the_way(path: str) -> Iterator[str]:
    """Yield the symbolic links that are followed on the way to a path, by the names under which they are met."""
    waiting, met = [path], set[str]()
    while waiting:
        current = waiting.pop()
        for part in reversed((Path(current), *Path(current).parents)):
            place = os.path.join(os.path.realpath(part.parent), part.name)  # noqa: PTH118 - may be no valid text
            if part.is_symlink() and place not in met:
                met.add(place)
                yield place
                # A link may lead to a link; one that leads in a circle ends where it was met before.
                waiting.append(os.path.join(os.path.dirname(place), os.readlink(place)))  # noqa: PTH118, PTH120, PTH115


def shown(path: str) -> str:
    """Return a path as it can be printed and written as JSON, whatever bytes it has."""
    return on_one_line(os.fsencode(path).decode("utf-8", "backslashreplace"))


class _Walk:
    """One survey under way."""

    def __init__(self, scope: Scope, found: Survey) -> None:
        self._scope = scope
        self._found = found
        self._seen: set[str] = set()
        self._databases: set[str] = set()

    def root(self, path: str) -> None:
        """Take a root with all that is below it."""
        if not os.path.lexists(path):
            # Docker makes what is to be mounted and is not there; only what a person has named is missed.
            if path in (self._scope.facts.stack, *self._scope.facts.extra):
                self._found.problems.append(f"{shown(path)} does not exist")
            elif self._scope.facts.in_container and path not in self._scope.facts.absent:
                self._found.problems.append(f"{shown(path)} cannot be seen in this container: run the role again")
            else:
                self._found.left.append(Left(path, "it does not exist", selection.LISTED))
            return
        waiting: list[tuple[str, frozenset[str], int | None]] = [(path, frozenset(), None)]
        while waiting:
            current, beside, device = waiting.pop()
            names, device = self._visit(current, beside, device)
            below = [(f"{current.rstrip('/')}/{name}", names, device) for name in sorted(names, reverse=True)]
            waiting += below

    def mount(self, path: str) -> None:
        """Take what a service has mounted by itself out of a directory whose contents stay out otherwise."""
        if path not in self._seen and os.path.lexists(path):
            self.root(path)

    def link(self, path: str) -> None:
        """Take a link that leads to a root, without what it leads to."""
        if path not in self._seen:
            self._seen.add(path)
            self._found.members.append(Member(path, os.lstat(path)))

    def _visit(self, path: str, beside: frozenset[str], device: int | None) -> tuple[frozenset[str], int | None]:
        """Take one thing, or leave it; return the names below it to visit."""
        nothing: frozenset[str] = frozenset()
        if path in self._seen:
            return nothing, device
        self._seen.add(path)
        try:
            member = Member(path, os.lstat(path))
            is_directory = member.kind == DIRECTORY
            names = frozenset(os.listdir(path)) if is_directory else nothing  # noqa: PTH208 - the names alone
            entry = Entry(path, member.kind, names, beside)
            left = selection.reason_to_leave(self._scope, entry) or self._sidecar(path)
            if left is not None:
                self._found.left.append(left)
                return nothing, device
            self._take(member)
        except (FileNotFoundError, NotADirectoryError):
            return nothing, device  # it has gone meanwhile
        except OSError as error:
            # What lies in it is not needed for the sake of a reason that its name alone gives.
            unread = Entry(path, DIRECTORY, nothing, beside)
            left = selection.reason_to_leave(self._scope, unread) or selection.reason_to_empty(self._scope, unread)
            if left is None:
                self._found.problems.append(f"{shown(path)}: {error.strerror}")
            else:
                self._found.left.append(left)
            return nothing, device
        if not is_directory:
            return nothing, device
        empty = selection.reason_to_empty(self._scope, entry) or self._foreign(member, device)
        if empty is not None and names:
            self._found.left.append(empty)
        return (nothing if empty else names), member.status.st_dev

    def _take(self, member: Member) -> None:
        if member.kind == FILE and _is_database(member):
            self._databases.add(member.path)
            self._found.databases.append(member)
        else:
            self._found.members.append(member)

    def _sidecar(self, path: str) -> Left | None:
        if selection.database_of(path) in self._databases:
            return Left(path, "part of the database beside it, which is copied as one", selection.PATTERN)
        return None

    def _foreign(self, member: Member, device: int | None) -> Left | None:
        """Say why a file system that is mounted below the stack holds nothing to keep."""
        if device is None or device == member.status.st_dev:
            return None
        kind = mount_of(Path(member.path)).type
        return Left(member.path, f"a file system of type {kind}", selection.PATTERN) if kind in _PASSING else None


def _is_database(member: Member) -> bool:
    """Return whether a file begins as SQLite's databases do; raises OSError when it cannot be read."""
    descriptor = os.open(member.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return member.status.st_size >= _SMALLEST_DATABASE and os.read(descriptor, len(_MAGIC)) == _MAGIC
    finally:
        os.close(descriptor)
