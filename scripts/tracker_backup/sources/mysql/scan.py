"""What is in a dump, found while it passes: for deciding, before anything is loaded, who can load it and whether."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tracker_backup.errors import RestoreError
from tracker_backup.sources.mysql.dumpparts import FRAME, OBJECTS, TABLE, DumpSplitter, definers
from tracker_backup.sources.mysql.dumptext import DumpContents, DumpReader

_MOST_OBJECT_BYTES = 64 * 1024**2
_OPTIONS_COLLATION = re.compile(rb"^\) [^'\n]*?\bCOLLATE=(\w+)", re.MULTILINE)
_COLUMN_COLLATION = re.compile(
    rb"^  `(?:[^`]|``)+` \w+(?:\([^)\n]*\))? (?:CHARACTER SET \w+ )?COLLATE (\w+)", re.MULTILINE
)
_KEPT_BYTES = 4096


@dataclass(frozen=True)
class Scanned:
    """A dump: what it holds, the text of all that is no table, whose that is, and the collations of its tables."""

    contents: DumpContents
    objects: bytes = field(repr=False)
    definers: frozenset[tuple[str, str]]
    collations: frozenset[str]

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of object that are in it, as :class:`DumpContents` calls them."""
        views = {"view"} if self.contents.views else set()
        return frozenset({kind.partition(" ")[0] for kind in self.contents.stored} | views)


class DumpScan:
    """Reads a dump in blocks that are cut anywhere."""

    def __init__(self) -> None:
        """Start at the first byte."""
        self._reader = DumpReader()
        self._objects = DumpSplitter(lambda part: part.kind in OBJECTS | FRAME)
        self._tables = DumpSplitter(lambda part: part.kind == TABLE)
        self._text = bytearray()
        self._definition = b""
        self._collations: set[str] = set()

    def feed(self, block: bytes) -> None:
        """Take the next block.

        Raises RestoreError when there is more text of views, triggers and routines than memory is for.
        """
        self._reader.feed(block)
        self._text += self._objects.feed(block)
        if len(self._text) > _MOST_OBJECT_BYTES:
            raise RestoreError(
                "the dump's views, triggers, routines and events are more than 64 MiB of text",
                hint="restore it into a directory (--to), and load the file with the server's client",
            )
        self._look(self._tables.feed(block))

    def result(self) -> Scanned:
        """Return what was found, after the last block."""
        self._text += self._objects.finish()
        self._look(self._tables.finish())
        text = bytes(self._text)
        return Scanned(self._reader.finish(), text, definers(text), frozenset(self._collations))

    def _look(self, definitions: bytes) -> None:
        if not definitions:
            return
        text = self._definition + definitions
        for form in (_OPTIONS_COLLATION, _COLUMN_COLLATION):
            self._collations.update(found.decode() for found in form.findall(text))
        self._definition = text[-_KEPT_BYTES:]  # a line may have been cut
