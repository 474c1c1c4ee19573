"""Take a dump's text apart: tables, their rows, triggers, views, routines, events; so that some of them can be loaded.

Both clients change the schema's default collation around each trigger, routine and event that was made under another
one, and name the schema that was dumped. That name is taken out: loaded elsewhere, it would change the live schema.

Both clients write a heading before each part. Headings count at the beginning of a statement only, never within a
trigger's text; rows are passed over at once up to the line that ends them, which no value can hold, since line breaks
in values are escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

HEAD, TABLE, ROWS, TRIGGERS, SEQUENCE = "head", "table", "rows", "triggers", "sequence"
PLACEHOLDER, EVENTS, ROUTINES, VIEW, FOOT = "placeholder", "events", "routines", "view", "foot"
FRAME = frozenset({HEAD, FOOT})
"""What has to stand around every part: settings of the session, and their end."""
OBJECTS = frozenset({TRIGGERS, PLACEHOLDER, EVENTS, ROUTINES, VIEW})
"""Everything that is no table: views have placeholders, so that they can refer to one another in any order."""

_NAME = rb"`((?:[^`]|``)+)`"
_HEADINGS = (
    (TABLE, re.compile(rb"-- Table structure for table " + _NAME)),
    (ROWS, re.compile(rb"-- Dumping data for table " + _NAME)),
    (SEQUENCE, re.compile(rb"-- Sequence structure for " + _NAME)),
    (PLACEHOLDER, re.compile(rb"-- Temporary (?:view|table) structure for view " + _NAME)),
    (VIEW, re.compile(rb"-- Final view structure for view " + _NAME)),
    (EVENTS, re.compile(rb"-- Dumping events for database ")),
    (ROUTINES, re.compile(rb"-- Dumping routines for database ")),
)
_FOOT = b"/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE"
_TRIGGERS = (b"/*!50003 ", b"ALTER DATABASE ")
_ROWS_BEGIN = b"LOCK TABLES "
_ROWS_END = b"\nUNLOCK TABLES;\n"
_DELIMITER = b"DELIMITER "
_DEFAULTS = re.compile(rb"(ALTER DATABASE )`(?:[^`]|``)+` (?=CHARACTER SET \w+ COLLATE \w+ ;)")
_DEFINER = re.compile(
    rb"^(?:/\*!\d+ CREATE\*/ )?(?:/\*!\d+ |CREATE )DEFINER=([`\"])((?:(?!\1).|\1\1)*)\1@\1((?:(?!\1).|\1\1)*)\1",
    re.MULTILINE,
)
_ENABLED = re.compile(
    rb"^((?:/\*!\d+ )?CREATE\b.*?\bEVENT (?:`(?:[^`]|``)+`|\"(?:[^\"]|\"\")+\") ON SCHEDULE "
    rb"(?:(?! ON COMPLETION ).)* ON COMPLETION (?:NOT )?PRESERVE )ENABLE\b",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Part:
    """A part of a dump; `name` is the table, view or sequence that it is about, empty where it is about none."""

    kind: str
    name: str = ""


class DumpSplitter:
    """Reads a dump in blocks that are cut anywhere, and gives back the text of the parts that are wanted."""

    def __init__(self, wanted: Callable[[Part], bool], *, events_run: bool = True) -> None:
        """Start at the first byte; without `events_run` the events' text is changed such that they do not."""
        self._wanted = wanted
        self._events_run = events_run
        self._part = Part(HEAD)
        self._keep = wanted(self._part)
        self._rest = b""
        self._in_rows = False
        self._delimiter = b";"
        self._at_statement = True

    def feed(self, block: bytes) -> bytes:
        """Take the next block and return what is wanted of the text up to here, without the schema's name."""
        block, self._rest = self._rest + block, b""
        kept: list[bytes] = []
        position = 0
        while position < len(block):
            position = self._rows(block, position, kept) if self._in_rows else self._line(block, position, kept)
        return b"".join(kept)

    def finish(self) -> bytes:
        """Return what is wanted of a last line that has no end."""
        rest, self._rest = self._rest, b""
        return rest if self._keep else b""

    def _rows(self, block: bytes, position: int, kept: list[bytes]) -> int:
        """Pass over rows; the last bytes of a block wait, the end may begin in them."""
        found = block.find(_ROWS_END, position)
        if found >= 0:
            end = found + 1  # the line that ends them is read as a line
            self._in_rows = False
        else:
            end = max(position, len(block) - len(_ROWS_END))
            self._rest = block[end:]
        if self._keep:
            kept.append(block[position:end])
        return end if found >= 0 else len(block)

    def _line(self, block: bytes, position: int, kept: list[bytes]) -> int:
        end = block.find(b"\n", position) + 1
        if end == 0:
            self._rest = block[position:]
            return len(block)
        line = block[position:end]
        if self._at_statement:
            if self._delimiter == b";":
                self._look(line)
            line = _DEFAULTS.sub(rb"\1", line) if line.startswith(b"ALTER ") else line
        if self._keep:
            changed = self._part.kind == EVENTS and not self._events_run
            kept.append(events_disabled(line) if changed else line)
        if line.startswith(_DELIMITER) and (self._at_statement or self._delimiter == b";"):
            self._delimiter, self._at_statement = line[len(_DELIMITER) :].strip(), True
        elif not (self._at_statement and (line.startswith(b"--") or not line.strip())):
            self._at_statement = line.rstrip().endswith(self._delimiter)
        return end

    def _look(self, line: bytes) -> None:
        """See whether a part begins with this line."""
        part = self._part
        if line.startswith(b"-- "):
            part = next((_named(kind, found) for kind, form in _HEADINGS if (found := form.match(line))), part)
        elif line.startswith(_FOOT):
            part = Part(FOOT)
        elif line.startswith(_TRIGGERS) and part.kind in {TABLE, ROWS}:
            part = Part(TRIGGERS, part.name)
        elif line.startswith(_ROWS_BEGIN) and part.kind == ROWS:
            self._in_rows = True
        if part is not self._part:
            self._part, self._keep = part, self._wanted(part)


def without_schema_name(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass a dump on such that no statement in it names the schema that it came from."""
    splitter = DumpSplitter(lambda _: True)
    for block in blocks:
        if text := splitter.feed(block):
            yield text
    if text := splitter.finish():
        yield text


def definers(objects: bytes) -> frozenset[tuple[str, str]]:
    """Return the accounts, user and host, to whom views, triggers, routines and events in a dump's text belong."""
    found = set()
    for quote, user, host in _DEFINER.findall(objects):
        names = (name.replace(quote * 2, quote).decode(errors="backslashreplace") for name in (user, host))
        found.add((next(names), next(names)))
    return frozenset(found)


def events_disabled(text: bytes) -> bytes:
    """Return the text of a dump's events such that they are made, and do not run."""
    return _ENABLED.sub(rb"\1DISABLE", text)


def _named(kind: str, found: re.Match[bytes]) -> Part:
    return Part(kind, found[1].replace(b"``", b"`").decode(errors="backslashreplace") if found.groups() else "")
