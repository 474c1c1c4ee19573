"""Who, apart from root and ourselves, could put something else in a path's place, or change what is there.

A path is walked as the kernel walks it, links and all: a file is only as safe as every directory on the way to it.
"""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path

from tracker_backup.errors import ConfigurationError
from tracker_backup.system.container import in_container

TRUSTED_VARIABLE = "TRACKER_BACKUP_TRUSTED_USERS"
"""Names or numbers of users, between commas, whom whoever starts the program trusts like root."""

_MOST_LINKS = 40
_ACL = "system.posix_acl_access"


@dataclass(frozen=True)
class Weakness:
    """Something that others can change: what it is, who they are, and what to type."""

    path: Path
    who: str
    remedy: str

    def __str__(self) -> str:
        """Return it in a sentence."""
        return f"{shlex.quote(str(self.path))} {self.who}"


def trusted_users() -> frozenset[int]:
    """Return the ids of those who may steer us: root, ourselves, and whom the environment names.

    Raises ConfigurationError for a name that nobody has.
    """
    named = [name.strip() for name in os.environ.get(TRUSTED_VARIABLE, "").split(",")]
    return frozenset({0, os.geteuid(), *(_user_id(name) for name in named if name)})


def weakness(path: Path, trusted: frozenset[int] | None = None) -> Weakness | None:
    """Return the first thing on the way to an absolute path, or there, that others can change; None if there is none.

    What does not exist cannot be changed: the walk ends there.

    Raises PermissionError where we may not look.
    """
    trusted = trusted_users() if trusted is None else trusted
    here, waiting, links = Path("/"), list(reversed(path.absolute().parts[1:])), 0
    status = here.lstat()
    while True:
        found = _weakness_of(here, status, trusted, passing=bool(waiting))
        if found is not None or not waiting:
            return found
        sticky = bool(status.st_mode & stat.S_ISVTX)
        name = waiting.pop()
        if name == "..":
            here = here.parent
            status = here.lstat()
            continue
        entry = here / name
        try:
            below = entry.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if sticky and below.st_uid not in trusted:
            return _owned(entry, below)  # in a directory such as /tmp its owner may exchange it, and nobody else
        if stat.S_ISLNK(below.st_mode):
            links += 1
            if links > _MOST_LINKS:
                return None  # it leads nowhere
            target = entry.readlink()
            waiting += reversed(target.parts[1:] if target.is_absolute() else target.parts)
            if target.is_absolute():
                here = Path("/")
                status = here.lstat()
            continue
        here, status = entry, below


def weakness_below(directory: Path, trusted: frozenset[int] | None = None) -> Weakness | None:
    """Return the first thing in a whole tree, or on the way to it, that others can change; None if there is none."""
    trusted = trusted_users() if trusted is None else trusted
    found = weakness(directory, trusted)
    for place, directories, files in os.walk(directory):
        if found is not None:
            return found
        for name in (*directories, *files):
            entry = Path(place, name)
            found = found or _weakness_of(entry, entry.lstat(), trusted, passing=False)
    return found


def _weakness_of(path: Path, status: os.stat_result, trusted: frozenset[int], *, passing: bool) -> Weakness | None:
    """Judge one thing by itself; `passing` says that only one name in a directory matters, not all of them."""
    if stat.S_ISLNK(status.st_mode):
        return None  # a link cannot be changed, only exchanged, which is its directory's business
    if status.st_uid not in trusted:
        return _owned(path, status)
    if passing and status.st_mode & stat.S_ISVTX:
        return None
    writers, remedy = _writers(path, status, trusted)
    return Weakness(path, f"can be written to by {writers}", f"{_sudo()}{remedy}") if writers else None


def _writers(path: Path, status: os.stat_result, trusted: frozenset[int]) -> tuple[str, str]:
    """Return who, besides its owner, can write to something, and what keeps them from it; nobody is nothing."""
    quoted = shlex.quote(str(path))
    if status.st_mode & stat.S_IWOTH:
        return "everybody", f"chmod go-w {quoted}"
    if not status.st_mode & stat.S_IWGRP:
        return "", ""
    if _has_acl(path):  # the group's bits are then those of all whom it names
        return "those whom its ACL names", f"setfacl -b {quoted}"
    if _others_in(status.st_gid, trusted):
        return f"the group {_group_name(status.st_gid)}", f"chmod g-w {quoted}"
    return "", ""


def _owned(path: Path, status: os.stat_result) -> Weakness:
    owner = "root" if os.geteuid() == 0 else f"{_user_name(os.geteuid())}"
    who = f"belongs to the user {_user_name(status.st_uid)}"
    return Weakness(path, who, f"sudo chown {owner} {shlex.quote(str(path))}")


def _others_in(group: int, trusted: frozenset[int]) -> bool:
    """Tell whether anybody but the trusted is in a group: a user's private group, and an empty one, is no danger.

    In a container nobody knows who is in a group of the host.
    """
    if in_container() and group:
        return True
    try:
        members = {_user_id(name) for name in grp.getgrgid(group).gr_mem}
    except KeyError:
        members = set()  # a group without a name has no members; it may be somebody's own all the same
    except ConfigurationError:
        return True  # a member whom the system does not know now, and may know tomorrow
    members |= {user.pw_uid for user in pwd.getpwall() if user.pw_gid == group}
    return not members <= trusted


def _has_acl(path: Path) -> bool:
    try:
        os.getxattr(path, _ACL, follow_symlinks=False)
    except OSError:
        return False
    return True


def _user_id(name: str) -> int:
    if name.isdecimal():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise ConfigurationError(f"{TRUSTED_VARIABLE}: there is no user {name!r}") from None


def _user_name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _group_name(group: int) -> str:
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)


def _sudo() -> str:
    return "sudo " if os.geteuid() == 0 else ""
