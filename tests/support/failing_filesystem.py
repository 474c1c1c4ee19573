"""A file system that passes through to a directory, and fails what it is told to: failing_filesystem.py BACKING MOUNT.

It is steered through stdin and stdout, a line of JSON for a line of JSON. What is sent is a list of faults, the only
ones from then on; what comes back is how many operations have matched any fault since the last list, and how many of
them were struck. A fault is an object:

    operations  names of operations of FUSE: write, create, mkdir, rename, fsync, fsyncdir, read, ...
    error       the name of an errno; "LOST" for a write that is not made, "CHANGED" for a byte that reads differently,
                and nobody is told of either; "" for none
    at          which of the operations that match fails, counted from 1; 0 for none: then they are counted only
    lasting     whether all that come after it fail as well
    name        what the path below the mount must match, as fnmatch has it; "*" for all
    offset      for read: the byte that must be among those asked for
    delay       seconds that each matching operation takes, or until other faults are sent

Nothing is flushed to the disk: these tests cut off no power.
"""

from __future__ import annotations

import errno
import fnmatch
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mfusepy

_SILENT = ("LOST", "CHANGED")


class Faults:
    """What is to fail, and what has."""

    def __init__(self) -> None:
        """Begin without any."""
        self._lock = threading.Condition()
        self._faults: list[dict[str, Any]] = []
        self._met: list[int] = []
        self._struck = 0

    def replace(self, faults: list[dict[str, Any]]) -> dict[str, int]:
        """Take other faults and return what the ones before have come to."""
        with self._lock:
            told = {"met": sum(self._met), "struck": self._struck}
            self._faults, self._met, self._struck = faults, [0] * len(faults), 0
            self._lock.notify_all()
        return told

    def meet(self, operation: str, path: str, extent: range | None = None) -> str:
        """Raise OSError if this operation is to fail; return what else is to become of it."""
        delay, silent = 0.0, ""
        with self._lock:
            for number, fault in enumerate(self._faults):
                if not _matches(fault, operation, path, extent):
                    continue
                self._met[number] += 1
                delay += fault["delay"]
                met, at = self._met[number], fault["at"]
                if fault["error"] and at and (met == at or (fault["lasting"] and met > at)):
                    self._struck += 1
                    if fault["error"] not in _SILENT:
                        raise OSError(getattr(errno, fault["error"]), fault["error"])
                    silent = fault["error"]
            if delay:
                faults = self._faults
                self._lock.wait_for(lambda: self._faults is not faults, timeout=delay)
        return silent


def _matches(fault: dict[str, Any], operation: str, path: str, extent: range | None) -> bool:
    if operation not in fault["operations"] or not fnmatch.fnmatch(path, fault["name"]):
        return False
    return fault["offset"] is None or extent is None or fault["offset"] in extent


class PassThrough(mfusepy.Operations):
    """The directory as it is, but for the faults."""

    use_ns = True

    def __init__(self, backing: str, faults: Faults) -> None:
        """Remember the directory."""
        self._backing = Path(backing)
        self._faults = faults

    def _real(self, path: str) -> Path:
        return self._backing / path.lstrip("/")

    def statfs(self, path: str) -> dict[str, int]:
        """Tell of the room that there really is."""
        found = os.statvfs(self._real(path))
        return {key: getattr(found, key) for key in dir(found) if key.startswith("f_")}

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        """Tell what a file is."""
        self._faults.meet("getattr", path)
        found = os.lstat(self._real(path)) if fh is None else os.fstat(fh)
        names = ("st_mode", "st_ino", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks", "st_rdev")
        times = {f"st_{kind}time": getattr(found, f"st_{kind}time_ns") for kind in "acm"}
        return {**{name: getattr(found, name) for name in names}, **times}

    def access(self, path: str, amode: int) -> int:
        """Tell whether a file may be used."""
        if not os.access(self._real(path), amode):
            raise OSError(errno.EACCES, "access")
        return 0

    def readdir(self, path: str, _fh: int) -> Iterator[tuple[str, dict[str, int], int]]:
        """List a directory; C libraries skip an entry without an inode's number."""
        self._faults.meet("readdir", path)
        directory = self._real(path)
        for name in (".", "..", *(entry.name for entry in directory.iterdir())):
            found = (directory / name).lstat()
            yield name, {"st_ino": found.st_ino, "st_mode": found.st_mode}, 0

    def readlink(self, path: str) -> str:
        """Tell where a link leads to."""
        return str(self._real(path).readlink())

    def create(self, path: str, mode: int, _flags: object = None) -> int:
        """Make a file and open it."""
        self._faults.meet("create", path)
        return self._owned(path, os.open(self._real(path), os.O_RDWR | os.O_CREAT, mode))

    def _owned(self, path: str, result: int) -> int:
        uid, gid, _ = mfusepy.fuse_get_context()
        os.lchown(self._real(path), uid, gid)
        return result

    def open(self, path: str, flags: int) -> int:
        """Open a file."""
        writes = flags & (os.O_WRONLY | os.O_RDWR)
        self._faults.meet("open for writing" if writes else "open", path)
        # The kernel may read what a program has opened for writing alone, and minds O_APPEND itself.
        mode = os.O_RDWR if writes else os.O_RDONLY
        return os.open(self._real(path), mode | flags & (os.O_TRUNC | os.O_NOFOLLOW))

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """Read."""
        silent = self._faults.meet("read", path, range(offset, offset + size))
        data = os.pread(fh, size, offset)
        return bytes([data[0] ^ 1]) + data[1:] if silent and data else data

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        """Write."""
        silent = self._faults.meet("write", path, range(offset, offset + len(data)))
        if silent:
            os.truncate(fh, max(os.fstat(fh).st_size, offset + len(data)))
        return len(data) if silent else os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        """Cut a file, or lengthen it."""
        self._faults.meet("truncate", path)
        os.truncate(self._real(path) if fh is None else fh, length)
        return 0

    def fsync(self, path: str, _datasync: int, _fh: int) -> int:
        """Say that a file is on the disk."""
        self._faults.meet("fsync", path)
        return 0

    def fsyncdir(self, path: str, _datasync: int, _fh: int) -> int:
        """Say that a directory is on the disk."""
        self._faults.meet("fsyncdir", path)
        return 0

    def release(self, _path: str, fh: int) -> int:
        """Close a file."""
        os.close(fh)
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        """Make a directory."""
        self._faults.meet("mkdir", path)
        self._real(path).mkdir(mode)
        return self._owned(path, 0)

    def rmdir(self, path: str) -> int:
        """Remove a directory."""
        self._faults.meet("rmdir", path)
        self._real(path).rmdir()
        return 0

    def unlink(self, path: str) -> int:
        """Remove a file."""
        self._faults.meet("unlink", path)
        self._real(path).unlink()
        return 0

    def rename(self, old: str, new: str) -> int:
        """Give a file another name."""
        self._faults.meet("rename", old)
        self._real(old).rename(self._real(new))
        return 0

    def link(self, target: str, source: str) -> int:
        """Give a file one more name."""
        self._faults.meet("link", target)
        os.link(self._real(source), self._real(target), follow_symlinks=False)
        return 0

    def symlink(self, target: str, source: str) -> int:
        """Make a link."""
        self._faults.meet("symlink", target)
        self._real(target).symlink_to(source)
        return self._owned(target, 0)

    def chmod(self, path: str, mode: int) -> int:
        """Change a mode."""
        self._faults.meet("chmod", path)
        self._real(path).chmod(mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        """Change an owner."""
        self._faults.meet("chown", path)
        os.lchown(self._real(path), uid, gid)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        """Change the times."""
        self._faults.meet("utimens", path)
        os.utime(self._real(path), ns=times, follow_symlinks=False)
        return 0


def obey(faults: Faults) -> None:
    """Take orders until there are no more."""
    # Not sys.stdin: a thread that waits in there can keep the interpreter from ending.
    with open(0, "rb", buffering=0, closefd=False) as orders:
        for line in orders:
            print(json.dumps(faults.replace(json.loads(line))), flush=True)


def main(backing: str, mount: str) -> None:
    """Serve until it is unmounted."""
    faults = Faults()
    threading.Thread(target=obey, args=(faults,), daemon=True).start()
    mfusepy.FUSE(
        PassThrough(backing, faults), mount, foreground=True, nothreads=True, allow_other=True,
        default_permissions=True, use_ino=True, hard_remove=True, attr_timeout=0, entry_timeout=0, negative_timeout=0,
        fsname="failing",
    )  # fmt: skip
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
