"""What a program and all that it starts ask the kernel to do with files, in order, as strace sees it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from support.program import Installation

CALLS = "openat,creat,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,"
CALLS += "fsync,fdatasync,write,pwrite64,ftruncate"
_LINE = re.compile(r"^(?P<pid>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<call>\w+)\()(?P<rest>.*)$")
_RESULT = re.compile(r"\) += (?P<result>-?\d+)(?:<.*>)?(?: .*)?$")
_DESCRIPTOR = re.compile(r"^(?:AT_FDCWD|\d+)(?:<(?P<path>[^>]*)>)?")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_UNFINISHED = " <unfinished ...>"


@dataclass(frozen=True)
class Event:
    """A call that went well: `paths` are what it was about, the first the older name where there are two."""

    call: str
    paths: tuple[str, ...]
    made: bool = False

    @property
    def path(self) -> str:
        """Return the only path, or the older name."""
        return self.paths[0]


def traced(installation: Installation, *arguments: str, code: int = 0) -> list[Event]:
    """Run a command that must end with that code, and return what it did in the installation's directory, in order."""
    out = installation.directory.with_name("trace")
    wrap = ("strace", "-f", "-y", "-s", "0", "-o", str(out), "-e", f"trace={CALLS}")
    done = installation.run(*arguments, wrap=wrap)
    assert done.returncode == code, done.stderr
    events = list(_events(out.read_text(errors="replace").splitlines()))
    below = f"{installation.directory}/"
    return [event for event in events if any(f"{path}/".startswith(below) for path in event.paths)]


def _events(lines: Iterable[str]) -> Iterable[Event]:
    """Yield the calls in the order in which they ended: only then is anything certain."""
    begun: dict[str, tuple[str, str]] = {}
    for line in lines:
        found = _LINE.match(line)
        if found is None:
            continue  # a signal, an exit
        pid, rest = found["pid"], found["rest"]
        if found["call"] and rest.endswith(_UNFINISHED):
            begun[pid] = found["call"], rest.removesuffix(_UNFINISHED)
            continue
        call, words = (found["call"], rest) if found["call"] else (found["resumed"], begun.pop(pid)[1] + rest)
        result = _RESULT.search(words)
        if result is None or int(result["result"]) < 0:
            continue
        yield Event(call, _paths(call, words), made=call == "openat" and "O_CREAT" in words)


def _paths(call: str, words: str) -> tuple[str, ...]:
    """Return the absolute paths that a call names, by name or by descriptor."""
    if call in ("fsync", "fdatasync", "write", "pwrite64", "ftruncate"):
        found = _DESCRIPTOR.match(words)
        return ((found["path"] or "") if found else "",)
    paths, directory = [], ""
    for word in re.split(r", (?=[\"A0-9])", words):
        text = _TEXT.match(word)
        if text is not None:
            paths.append(str(Path(directory, text[1])))
            directory = ""
        elif (found := _DESCRIPTOR.match(word)) is not None:
            directory = found["path"] or ""
    return tuple(paths)
