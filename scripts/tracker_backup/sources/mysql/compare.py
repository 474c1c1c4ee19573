"""Compare what a dump holds with what the server says there is."""

from __future__ import annotations

from tracker_backup.sources.mysql.dumptext import DumpContents
from tracker_backup.sources.mysql.facts import Facts


def absent(contents: DumpContents, facts: Facts) -> list[str]:
    """Return what the server has and the dump does not, each with a word for people.

    Tables and views go by name. Stored programs go by number: MariaDB writes their heads as somebody once typed them.
    """
    lost = [f"table {table.name}" for table in facts.tables if not table.is_view and table.name not in contents.rows]
    lost += [f"view {table.name}" for table in facts.tables if table.is_view and table.name not in contents.views]
    for kind, count in facts.stored.items():
        found = contents.stored.get(kind, 0)
        if found < count:
            lost.append(f"{count - found} of {count} {kind}s")
    return lost
