"""Read the text of a dump while it passes: which objects it holds, how many rows, and whether it came to its end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tracker_backup.sources.mysql.rowcount import RowCounter

_NAME = rb"`((?:[^`]|``)+)`"
_TABLE = re.compile(rb"CREATE (?:TABLE|SEQUENCE) (?:IF NOT EXISTS )?" + _NAME)
_VIEW = re.compile(rb"/\*!50001 (?:CREATE )?VIEW " + _NAME + rb"(?: \((?:`[^`]*`,?)+\))? AS ")
_INSERT = re.compile(rb"INSERT INTO " + _NAME + rb"(?: \((?:[^`)]|`[^`]*`)*\))? VALUES(?=[ \n])")
_STORED = re.compile(
    rb"(?:/\*M?!\d+ )?CREATE\b(?:\s|/\*M?!\d+|\*/|OR REPLACE|AGGREGATE"
    rb"|DEFINER\s*=\s*(?:`(?:[^`]|``)*`|[^\s`@]+)(?:@(?:`(?:[^`]|``)*`|[^\s`]+))?)*"
    rb"(TRIGGER|EVENT|PROCEDURE|FUNCTION|PACKAGE BODY|PACKAGE)\b",
    re.IGNORECASE,
)
_DELIMITER = b"DELIMITER "
_TRAILER = b"-- Dump completed"
_SANDBOX = re.compile(rb"/\*M?!999999\\-")
_FIRST_LINE_BYTES = 1024
_INSERT_START = b"INSERT INTO "
_HEADS = (_INSERT_START, b"CREATE TABLE ", b"CREATE SEQUENCE ")
_HEAD_BYTES = 64 * 1024
"""How far an unclosed name is followed over ends of lines; of a name there are 64 characters."""

_END = b";\n"


@dataclass
class DumpContents:
    """What a dump holds: rows by table, views, and how many of each kind of stored program (trigger, event, …).

    `bytes` is its length.
    """

    rows: dict[str, int] = field(default_factory=dict)
    views: set[str] = field(default_factory=set)
    stored: dict[str, int] = field(default_factory=dict)
    completed: bool = False
    bytes: int = 0


class DumpReader:
    """Reads a dump in blocks that are cut anywhere; the answer is in `contents` after :meth:`finish`."""

    def __init__(self) -> None:
        """Start at the first byte."""
        self.contents = DumpContents()
        self._rest = b""
        self._delimiter = b";"
        self._at_statement = True
        self._rows: _Rows | None = None

    def feed(self, block: bytes) -> None:
        """Take the next block."""
        self.contents.bytes += len(block)
        block, self._rest = self._rest + block, b""
        position = 0
        while position < len(block):
            position = self._lines(block, position) if self._rows is None else self._values(block, position)

    def finish(self) -> DumpContents:
        """Return what the dump holds; what is left without an end of its line is looked at."""
        if self._rest and self._rows is None:
            self._line(self._rest)
        return self.contents

    def _lines(self, block: bytes, position: int) -> int:
        """Read lines up to the values of an INSERT, or to the end of the block."""
        while position < len(block):
            if self._delimiter == b";" and block.startswith(_INSERT_START, position):
                found = _INSERT.match(block, position)
                if found is not None and found.end() < len(block):
                    self._rows = _Rows(_name(found[1]), one_line=block[found.end()] != ord("\n"))
                    return found.end()
            end = self._line_end(block, position)
            if end < 0:
                self._rest = block[position:]
                return len(block)
            self._line(block[position:end])
            position = end + 1
        return position

    def _line_end(self, block: bytes, position: int) -> int:
        """Return where a line ends, -1 when it is not in this block; a name may have ends of lines in it."""
        end = block.find(b"\n", position)
        if self._delimiter != b";" or not block.startswith(_HEADS, position):
            return end
        while 0 <= end < position + _HEAD_BYTES and block.count(b"`", position, end) % 2:
            end = block.find(b"\n", end + 1)
        return end

    def _values(self, block: bytes, position: int) -> int:
        """Count rows up to the end of the INSERT, or of the block."""
        rows = self._rows
        if rows is None:
            return position
        end, after = rows.end(block, position)
        rows.feed(block[position:end])
        if after is None:
            self._rest = block[end:]
            return len(block)
        self.contents.rows[rows.table] = self.contents.rows.get(rows.table, 0) + rows.count
        self._rows = None
        return after

    def _line(self, line: bytes) -> None:
        # Within a comment of a routine it is none, and clients take it for none.
        if self._at_statement and line.startswith(_DELIMITER):
            self._delimiter, self._at_statement = line[len(_DELIMITER) :].strip(), True
            return
        if self._delimiter != b";":
            self._stored_line(line)
            return
        if line.startswith(b"CREATE "):
            found = _TABLE.match(line)
            if found is not None:
                self.contents.rows.setdefault(_name(found[1]), 0)
        elif line.startswith(b"/*!50001 "):
            found = _VIEW.match(line)
            if found is not None and not line.startswith(b"/*!50001 CREATE"):
                self.contents.views.add(_name(found[1]))
        if line:
            self.contents.completed = line.startswith(_TRAILER)

    def _stored_line(self, line: bytes) -> None:
        """Look at a line of a trigger, routine or event: only the first of a statement says what it is."""
        if self._at_statement:
            found = _STORED.match(line)
            if found is not None:
                kind = found[1].decode().lower()
                self.contents.stored[kind] = self.contents.stored.get(kind, 0) + 1
        self._at_statement = line.rstrip().endswith(self._delimiter)


class _Rows:
    """The rows of one INSERT: MySQL's client writes them on one line, MariaDB's begins a line with each.

    Line breaks within values are escaped, so every one that is there means something.
    """

    def __init__(self, table: str, *, one_line: bool) -> None:
        self.table = table
        self._counter = RowCounter() if one_line else None
        self._lines = 0

    @property
    def count(self) -> int:
        return self._lines if self._counter is None else self._counter.rows

    def feed(self, piece: bytes) -> None:
        if self._counter is None:
            self._lines += piece.count(b"\n")
        else:
            self._counter.feed(piece)

    def end(self, block: bytes, position: int) -> tuple[int, int | None]:
        """Return where the values in this block end, and where the next line begins, None if it is not in here."""
        if self._counter is not None:
            end = block.find(b"\n", position)
            return (len(block), None) if end < 0 else (end, end + 1)
        # From behind it is looked for more than twice as fast, and most blocks have no end in them.
        if block.rfind(_END, position) >= 0:
            end = block.find(_END, position)
            return end, end + len(_END)
        return (len(block) - 1 if block.endswith(b";") else len(block)), None


def without_sandbox_line(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass a dump on without the line that newer MariaDB clients put first, at which all other clients stop."""
    head, waiting = b"", True
    for block in blocks:
        if not waiting:
            yield block
            continue
        head += block
        if b"\n" not in head and len(head) < _FIRST_LINE_BYTES:
            continue
        waiting = False
        if _SANDBOX.match(head):
            head = head.partition(b"\n")[2]
        if head:
            yield head
    if waiting and head and not _SANDBOX.match(head):
        yield head


def _name(quoted: bytes) -> str:
    return quoted.replace(b"``", b"`").decode(errors="backslashreplace")
