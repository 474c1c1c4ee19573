"""What a file has besides its contents: owner, group, mode, and attributes: ACLs and SELinux's label are such."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tracker_backup.errors import RestoreError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Dress = dict[str, Any]
"""`uid`, `gid`, `mode`, and `attributes` in hexadecimal: a JSON object."""

_UNWILLING = (errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.EINVAL)


def dress_of(path: Path) -> Dress:
    """Return what a file has; raises OSError where it cannot be looked at."""
    status = path.lstat()
    attributes = {}
    with suppress(OSError):  # a file system without attributes
        for name in os.listxattr(path, follow_symlinks=False):
            attributes[name] = os.getxattr(path, name, follow_symlinks=False).hex()
    return {
        "uid": status.st_uid,
        "gid": status.st_gid,
        "mode": stat.S_IMODE(status.st_mode),
        "attributes": attributes,
    }


def dress_for_new(directory: Path, owner: Mapping[str, Any] | None) -> Dress:
    """Return what a file gets that was not there: as the backup says, else the owner of the directory."""
    if owner is not None and all(isinstance(owner.get(key), int) for key in ("uid", "gid", "mode")):
        return {"uid": owner["uid"], "gid": owner["gid"], "mode": owner["mode"] & 0o777, "attributes": {}}
    status = directory.stat()
    return {"uid": status.st_uid, "gid": status.st_gid, "mode": 0o640, "attributes": {}}


def put_on(path: Path, dress: Mapping[str, Any]) -> str | None:
    """Give a file what another one had; return in a sentence what the system does not allow, None where all is well.

    Raises RestoreError for a link, which somebody has put in the place of what was made: it may lead to any file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise RestoreError(f"{path} is a link now", hint="see who has put it there, then try again") from error
    try:
        return _put_on(descriptor, dress)
    finally:
        os.close(descriptor)


def _put_on(descriptor: int, dress: Mapping[str, Any]) -> str | None:
    problem = None
    try:
        os.fchown(descriptor, dress["uid"], dress["gid"])
    except PermissionError:
        problem = f"its owner cannot be set to {dress['uid']}:{dress['gid']} without being root"
    os.fchmod(descriptor, dress["mode"])
    for name, value in dict(dress.get("attributes") or {}).items():
        try:
            os.setxattr(descriptor, name, bytes.fromhex(value))
        except OSError as error:
            if error.errno not in _UNWILLING:
                raise
            problem = problem or f"its attribute {name} cannot be set"
    return problem
