"""Our block of lines within somebody else's bytes. Pure, and blind to what the other bytes mean.

The block stands between two marker lines that name the instance. Whatever is outside of it comes out as it went in,
byte for byte: line ends, encodings, a last line without an end, other instances' blocks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tracker_backup.errors import ScheduleError

_BEGIN, _END = b"BEGIN", b"END"
_JOINED = b" (the line above BEGIN had no end of line)"
_MARKER = re.compile(rb"# (BEGIN|END) tracker-backup ([a-z0-9-]+)(?:" + re.escape(_JOINED) + rb")?")


@dataclass(frozen=True)
class Block:
    """Where an instance's block lies: `data[start:end]` with its markers, `body` between them.

    `joined` says that a line end in front of the block is ours, because the text there had none.
    """

    start: int
    end: int
    body: bytes
    joined: bool


def find_block(data: bytes, instance: str, *, where: str) -> Block | None:
    """Return the instance's block, None where there is none.

    Raises ScheduleError, which names the lines, when markers are missing, doubled or out of order.
    """
    markers = _markers(data)
    ours = [marker for marker in markers if marker[1] == instance.encode()]
    if not ours:
        return None
    between = [marker for marker in markers if ours[0][2] <= marker[2] <= ours[-1][2]]
    if [kind for kind, *_ in ours] != [_BEGIN, _END] or between != ours:
        raise _damaged(data, instance, where, ours)
    (_, _, start, body_start), (_, _, body_end, end) = ours
    joined = _JOINED in data[body_end:end] and data[start - 1 : start] == b"\n"
    return Block(start, end, data[body_start:body_end], joined)


def spliced(data: bytes, instance: str, body: bytes, *, where: str) -> bytes:
    """Return `data` with the instance's block made, or made anew in its place; a new one goes last.

    Last, because variables in a table count for the lines below them; ours sets none that could leak.
    """
    block = find_block(data, instance, where=where)
    if block is not None:
        return data[: block.start] + _framed(instance, body, joined=block.joined) + data[block.end :]
    joined = data != b"" and not data.endswith(b"\n")
    return data + (b"\n" if joined else b"") + _framed(instance, body, joined=joined)


def cut(data: bytes, instance: str, *, where: str) -> bytes:
    """Return `data` without the instance's block, as it was before the block came."""
    block = find_block(data, instance, where=where)
    if block is None:
        return data
    before, after = data[: block.start], data[block.end :]
    # With something below it in the meantime, the line end that came with the block is needed.
    return before[:-1] if block.joined and not after else before + after


def _framed(instance: str, body: bytes, *, joined: bool) -> bytes:
    name = instance.encode()
    begin, end = (b"# " + word + b" tracker-backup " + name for word in (_BEGIN, _END))
    return begin + b"\n" + body + end + (_JOINED if joined else b"") + b"\n"


def _damaged(data: bytes, instance: str, where: str, markers: list[tuple[bytes, bytes, int, int]]) -> ScheduleError:
    numbers = [data[:start].count(b"\n") + 1 for _, _, start, _ in markers]
    found = ", ".join(f"{kind.decode()} in line {n}" for n, (kind, *_) in zip(numbers, markers, strict=True))
    return ScheduleError(
        f"{where}: the markers around the entries of {instance} are damaged ({found}); nothing was changed",
        hint="delete these marker lines and the tracker-backup entries near them by hand, then try again",
    )


def _markers(data: bytes) -> list[tuple[bytes, bytes, int, int]]:
    """Return all instances' marker lines: kind, instance, where the line starts and where the next one does."""
    found = []
    start = 0
    for line in _lines(data):
        match = _MARKER.fullmatch(line.rstrip(b" \t\r\n"))
        if match:
            found.append((match[1], match[2], start, start + len(line)))
        start += len(line)
    return found


def _lines(data: bytes) -> list[bytes]:
    """Split after line feeds only: to cron nothing else ends a line."""
    return re.findall(rb"[^\n]*\n|[^\n]+", data)
