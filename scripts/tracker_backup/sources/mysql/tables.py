"""Single tables out of a dump: which parts they are, and what a dump of them alone would hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tracker_backup.sources.mysql.dumpparts import FRAME, ROWS, SEQUENCE, TABLE, Part
from tracker_backup.sources.mysql.dumptext import DumpContents

if TYPE_CHECKING:
    from tracker_backup.sources.mysql.scan import Scanned


def parts_of(tables: Sequence[str]) -> Callable[[Part], bool]:
    """Return which parts of a dump these tables are: their definition and their rows, without their triggers."""
    kinds = {TABLE, ROWS, SEQUENCE}
    return lambda part: part.kind in FRAME or (part.kind in kinds and part.name in tables)


def only_tables(scanned: Scanned, tables: Sequence[str]) -> Scanned:
    """Return what a dump of these tables alone would hold."""
    contents = scanned.contents
    rows = {name: count for name, count in contents.rows.items() if name in tables}
    alone = DumpContents(rows=rows, completed=contents.completed, bytes=contents.bytes)
    return replace(scanned, contents=alone, objects=b"", definers=frozenset())
