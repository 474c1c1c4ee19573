"""GNU tar as a program: what it is told, what it says, and what lies in an archive of its making.

Names go in through a pipe and come out quoted by `--quoting-style=escape`, so that a name may hold any byte
(https://www.gnu.org/software/tar/manual/).
"""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING

from tracker_backup.errors import CommandError, SourceError
from tracker_backup.sources.sqlite.staged import no_room
from tracker_backup.system.diskfaults import named
from tracker_backup.system.files import create_private, flush_and_drop, write_all
from tracker_backup.system.flushing import Flusher
from tracker_backup.system.process import run
from tracker_backup.system.stream import Child, describe_exit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tracker_backup.sources.files.walking import Member

BLOCK_BYTES = 1024 * 1024
HEADER_BYTES = 3 * 1024
"""What a member takes beside its content, with its extended header, on the safe side; most take less."""

_STORING = (
    "--format=posix",
    "--null",
    "--verbatim-files-from",
    "--no-recursion",
    "--acls",
    "--xattrs",
    "--sparse",
    "--numeric-owner",
    "--no-unquote",  # a backslash in the directory's name is one
    # Without times of access and process numbers in it, the archive of an unchanged stack is the same every night.
    "--pax-option=delete=atime,delete=ctime,exthdr.name=%d/PaxHeaders/%f",
    "--quoting-style=escape",
    # Changes are found by comparing before and after; what is said must not be crowded out by them.
    "--warning=no-file-changed",
    "--warning=no-file-removed",
)
_ESCAPED = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_LETTERS = {b"a": 7, b"b": 8, b"t": 9, b"n": 10, b"v": 11, b"f": 12, b"r": 13}
_SOME_DIFFER, _FATAL = 1, 2
_SHRANK = re.compile(r"\S*tar: (.*): File shrank by [0-9]+ bytes?; padding with zeros")


def version() -> str:
    """Return the version of GNU tar; raises CommandError where it is missing or another one."""
    said = run(["tar", "--version"], timeout_seconds=30).stdout.splitlines()[0]
    if "GNU tar" not in said:
        raise CommandError(f"the program tar is {said}", hint="sudo apt-get install tar, which is GNU tar")
    return said.rpartition(" ")[2]


def create(paths: Iterable[str], archive: Path, passing: Callable[[int], None]) -> list[bytes]:
    """Write a new private archive of absolute paths, relative to /; `passing` is told the bytes so far.

    What is gone meanwhile is not in it, which its listing tells. The members are returned that tar could not read to
    their end, and has filled up with zeros: they have become shorter, or the disk does not read them.

    Raises SourceError when something cannot be read or there is no room.
    """
    descriptor = create_private(archive)
    try:
        with (
            named(archive),
            Child(["tar", "--create", "--file=-", *_STORING, "--directory=/", "--files-from=-"]) as child,
        ):
            child.feed(lambda: _feed(child, paths))
            done = 0
            with Flusher(descriptor) as flusher:
                while block := child.stdout.read(BLOCK_BYTES):
                    write_all(descriptor, block)
                    done += len(block)
                    flusher.wrote(len(block))
                    passing(done)
            return _judge(child)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_room(archive) from error
        raise
    finally:
        os.close(descriptor)


def append(paths: Iterable[str], archive: Path, directory: str = "/", owned_as: Member | None = None) -> list[bytes]:
    """Add paths, taken from below `directory`, to an archive; a later member replaces an earlier one of its name.

    `owned_as` is whose owner and group the members get.

    Returns members, and raises SourceError, as :func:`create` does.
    """
    owner = []
    if owned_as is not None:
        owner = [f"--owner=:{owned_as.status.st_uid}", f"--group=:{owned_as.status.st_gid}"]  # tar 1.34 ignores +ID
    argv = ["tar", "--append", f"--file={archive}", *_STORING, *owner, f"--directory={directory}", "--files-from=-"]
    with Child(argv) as child:
        child.feed(lambda: _feed(child, paths))
        child.stdout.read()
        cut_short = _judge(child)
    descriptor = os.open(archive, os.O_RDWR | os.O_CLOEXEC)
    try:
        with named(archive):
            flush_and_drop(descriptor)
    finally:
        os.close(descriptor)
    return cut_short


def names(archive: Path) -> Iterator[bytes]:
    """Yield the members' names, unquoted, in their order, without the slash that a directory's has at its end.

    Raises CommandError when tar cannot read the archive to its end.
    """
    for line in _listing(archive):
        yield unquoted(line).rstrip(b"/")


def kinds(archive: Path) -> Iterator[str]:
    """Yield for each member the letter that says what it is, as `ls -l` has it, `h` for a hard link."""
    for line in _listing(archive, "--verbose", "--numeric-owner"):
        yield line[:1].decode("ascii", "replace")


def extract_one(archive: Path, name: bytes, target: Path) -> None:
    """Write the content of one member into the new private file `target`.

    Raises CommandError when tar cannot.
    """
    descriptor = create_private(target)
    argv = ["tar", "--extract", "--to-stdout", f"--file={archive}", "--null", "--verbatim-files-from", "--files-from=-"]
    try:
        with Child([*argv, "--no-wildcards"]) as child:
            child.feed(lambda: write_all(child.stdin.fileno(), name + b"\0"))
            while block := child.stdout.read(BLOCK_BYTES):
                write_all(descriptor, block)
            child.require_success()
    finally:
        os.close(descriptor)


def member_name(path: str) -> bytes:
    """Return the name that an absolute path has in an archive."""
    return os.fsencode(path).lstrip(b"/") or b"."


def unquoted(name: bytes) -> bytes:
    """Return a name as it is, from what `--quoting-style=escape` makes of it."""
    return _ESCAPED.sub(_unescape, name)


def _unescape(found: re.Match[bytes]) -> bytes:
    code = found[1]
    if len(code) == 1:
        return bytes([_LETTERS[code]]) if code in _LETTERS else code
    return bytes([int(code, 8)])


def _listing(archive: Path, *options: str) -> Iterator[bytes]:
    with Child(["tar", "--list", *options, "--quoting-style=escape", f"--file={archive}"]) as child:
        rest = b""
        while block := child.stdout.read(BLOCK_BYTES):
            *lines, rest = (rest + block).split(b"\n")
            yield from lines
        child.require_success()


def _feed(child: Child, paths: Iterable[str]) -> None:
    for path in paths:
        write_all(child.stdin.fileno(), member_name(path) + b"\0")


def _judge(child: Child) -> list[bytes]:
    """Read how tar ended; what is gone, or has changed meanwhile, is for others to find and no failure.

    Of the latter tar says only that it has shrunk, which it also takes a disk for that does not read: it is returned.
    """
    code = child.end()
    complaints, cut_off = child.complaints()
    shrunk = [found for line in complaints if (found := _SHRANK.fullmatch(line))]
    if code in (0, _SOME_DIFFER) and not cut_off:
        return [unquoted(os.fsencode(found[1])) for found in shrunk]
    said = [line for line in complaints if not _SHRANK.fullmatch(line)]
    telling = [line for line in said if not line.endswith((": No such file or directory", "due to previous errors"))]
    if code != _FATAL or telling or cut_off or not said:
        said_last = " / ".join(telling[:3]) or child.last_words()
        raise SourceError(
            f"tar {describe_exit(code)}: {said_last}"[:600],
            hint="run it as root (with sudo), look at the disk, or leave the file out with files.exclude",
        )
    return [unquoted(os.fsencode(found[1])) for found in shrunk]
