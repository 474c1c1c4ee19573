"""Exchange the tables of two schemas in one statement, and put them back from wherever that was cut off.

RENAME TABLE moves tables into another schema without copying a row, foreign keys with them, and takes all that it
names or none: MySQL since 8.0, MariaDB since 10.6. Tables with triggers cannot move, views, routines and events cannot
at all; they are dropped before, and made anew from the text of a dump.
https://dev.mysql.com/doc/refman/8.4/en/rename-table.html, https://mariadb.com/kb/en/rename-table/
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tracker_backup.errors import RestoreError
from tracker_backup.sources.mysql.clients import MYSQL
from tracker_backup.sources.mysql.dump import structure_options
from tracker_backup.sources.mysql.dumpparts import EVENTS, FRAME, OBJECTS, PLACEHOLDER, VIEW, DumpSplitter, Part
from tracker_backup.sources.mysql.dumptext import DumpReader, without_sandbox_line
from tracker_backup.sources.mysql.facts import sql_text
from tracker_backup.sources.mysql.load import load_text
from tracker_backup.sources.mysql.schemas import LOCK_SECONDS, create, drop, drop_things, look, quoted
from tracker_backup.sources.mysql.ways import Connection, ServerRefusalError, in_one_line, said_by
from tracker_backup.system.files import write_atomically
from tracker_backup.system.stream import describe_exit

_SILENCE_SECONDS = 120
_SETTLE_SECONDS = 60
_STUB = re.compile(rb"^/\*!50001 CREATE VIEW `((?:[^`]|``)+)` AS SELECT", re.MULTILINE)
_QUIET_LOOKS, _QUIET_SECONDS = 2, 0.3
_USER, _SCHEMA = 1, 3
"""Columns of SHOW PROCESSLIST."""
_ATOMIC_SINCE = {MYSQL: (8,)}
_MARIADB_ATOMIC_SINCE = (10, 6)


def settle(connection: Connection, live: str, others: Sequence[str]) -> None:
    """End what the sessions of a process that died are still doing: a server goes on without those who asked it.

    Sessions in the schemas `others` are nobody else's; in the live one it is those of the same user.

    Raises RestoreError when one does not end, ServerRefusalError when the server cannot be asked.
    """
    give_up = time.monotonic() + _SETTLE_SECONDS
    quiet = 0
    user = connection.credentials.user
    while quiet < _QUIET_LOOKS:
        rows = [row for row in connection.query("SHOW FULL PROCESSLIST")[0] if len(row) > _SCHEMA]
        left = [row[0] for row in rows if row[_SCHEMA] in others or (row[_SCHEMA], row[_USER]) == (live, user)]
        for identifier in left:
            with contextlib.suppress(ServerRefusalError):  # it has ended meanwhile
                connection.query(f"KILL {int(identifier)}")
        quiet = 0 if left else quiet + 1
        if time.monotonic() > give_up:
            raise RestoreError(
                f"a statement of the restore that died still runs on the server (connection {', '.join(left)})",
                hint="wait until it has ended (SHOW FULL PROCESSLIST), then try again",
            )
        time.sleep(_QUIET_SECONDS)


def moves_whole(flavour: str, numbers: tuple[int, ...]) -> bool:
    """Return whether a server takes all of a RENAME TABLE or none, even when it dies in its midst."""
    return numbers >= _ATOMIC_SINCE.get(flavour, _MARIADB_ATOMIC_SINCE)


def referred_to(connection: Connection, schema: str) -> list[str]:
    """Return the tables of other schemas with foreign keys into this one: they would follow the old tables.

    Raises ServerRefusalError when the server cannot be asked.
    """
    name = sql_text(schema)
    statement = (
        "SELECT DISTINCT CONCAT(CONSTRAINT_SCHEMA, '.', TABLE_NAME)"  # noqa: S608 - as hexadecimal digits
        " FROM information_schema.REFERENTIAL_CONSTRAINTS"
        f" WHERE UNIQUE_CONSTRAINT_SCHEMA = {name} AND CONSTRAINT_SCHEMA <> {name}"
    )
    return [row[0] for row in connection.query(statement)[0]]


def save_objects(connection: Connection, schema: str, file: Path) -> list[str]:
    """Write the text of all that is no table in a schema to a private file, flushed.

    A view that refers to what is not there cannot be made anew: the text of such ones goes into a file of their own,
    :func:`broken_file`, and their names are returned. A schema that is broken is what a restore may be for.

    Raises RestoreError when the rest cannot be had whole, OSError when the disk does not take it.
    """
    client = connection.way.clients.dump
    with connection.start(client, ["--force", *structure_options(client, schema)]) as child:
        text = b"".join(without_sandbox_line(iter(lambda: os.read(child.stdout.fileno(), 1 << 20), b"")))
        code = child.finish(_SILENCE_SECONDS)
        said = in_one_line(said_by(child))
    stubs = taken_apart(text, lambda part: part.kind == PLACEHOLDER)
    whole_views = {name.replace(b"``", b"`").decode(errors="backslashreplace") for name in _STUB.findall(stubs)}
    reader = DumpReader()
    reader.feed(text)
    contents = reader.finish()
    there = look(connection, schema)
    views = {thing.name for thing in there.things if thing.kind == "VIEW"} if there is not None else set()
    stored = sum(thing.kind not in {"VIEW", "TABLE", "SEQUENCE"} for thing in there.things) if there is not None else 0
    broken = sorted(views - whole_views)  # for them the client cannot tell the columns
    whole = contents.completed and contents.views == views and sum(contents.stored.values()) == stored
    if not whole or (code != 0 and not broken):
        raise RestoreError(f"{connection.way}: {client.name} {describe_exit(code)}: {said or 'it said nothing'}")
    if broken:
        lost = taken_apart(text, lambda part: part.kind == VIEW and part.name in broken)
        write_atomically(broken_file(file), lost, 0o600)
    kept = taken_apart(text, lambda part: part.kind in OBJECTS | FRAME and part.name not in broken)
    write_atomically(file, kept, 0o600)
    return broken


def broken_file(objects: Path) -> Path:
    """Return where the text of views goes that cannot be made anew."""
    return objects.with_name(f"{objects.name.removesuffix('.objects.sql')}.broken-views.sql")


def taken_apart(text: bytes, wanted: Callable[[Part], object]) -> bytes:
    """Return the parts of a dump's text that are wanted."""
    splitter = DumpSplitter(lambda part: bool(wanted(part)))
    return splitter.feed(text) + splitter.finish()


def load_objects(connection: Connection, schema: str, text: bytes, *, events_run: bool) -> None:
    """Make what is no table from a dump's text.

    Raises LoadError when the server does not take it.
    """
    splitter = DumpSplitter(lambda _: True, events_run=events_run)
    wanted = splitter.feed(text) + splitter.finish()
    load_text(connection, schema, wanted, max_silence_seconds=_SILENCE_SECONDS)


def only_events(text: bytes) -> bytes:
    """Return the part of a dump's text that makes the events."""
    return taken_apart(text, lambda part: part.kind == EVENTS or part.kind in FRAME)


def exchange(connection: Connection, live: str, new: str, old: str) -> None:
    """Move the live schema's tables into `old`, which is made, and those of `new` into the live one.

    Raises LoadError or ServerRefusalError when the server does not do it.
    """
    there, coming = look(connection, live), look(connection, new)
    if there is None or coming is None:
        raise RestoreError(f"the schema {live if there is None else new} has gone meanwhile")
    create(connection, old, there.charset, there.collation)
    drop_things(connection, there, tables=False)
    drop_things(connection, coming, tables=False)
    pairs = [(live, table, old) for table in there.tables] + [(new, table, live) for table in coming.tables]
    _rename(connection, live, pairs)


def put_back(connection: Connection, live: str, new: str, old: str, tables: Sequence[str], objects: Path) -> None:
    """Put the old tables and objects back into the live schema, wherever the exchange was; drop the other schemas.

    `tables` are the live schema's as they were. Raises RestoreError when they are not all there then, LoadError or
    ServerRefusalError when the server does not do it.
    """
    kept = look(connection, old)
    if kept is not None and not kept.empty:
        drop_things(connection, kept, tables=False)
    if kept is not None and kept.tables:
        _back(connection, live, new, old, tables)
    if objects.exists():  # else nothing was dropped yet
        there = look(connection, live)
        if there is not None:
            drop_things(connection, there, tables=False)
        load_objects(connection, live, objects.read_bytes(), events_run=True)
    there = look(connection, live)
    lost = sorted(set(tables) - set(() if there is None else there.tables))
    if lost:
        raise RestoreError(
            f"schema {live} lacks {', '.join(lost)} after it was put back",
            hint=f"look for them in the schemas {old} and {new}, and move them with RENAME TABLE",
        )
    drop(connection, old)
    drop(connection, new)
    objects.unlink(missing_ok=True)


def _back(connection: Connection, live: str, new: str, old: str, tables: Sequence[str]) -> None:
    """Move what has moved; where a server died in the midst of a rename that it does not take as a whole, the rest."""
    there, kept = look(connection, live), look(connection, old)
    if there is None or kept is None:
        return
    drop_things(connection, there, tables=False)
    if look(connection, new) is None:
        create(connection, new, there.charset, there.collation)
    unmoved = set(tables) - set(kept.tables)
    pairs = [(live, table, new) for table in there.tables if table not in unmoved]
    pairs += [(old, table, live) for table in kept.tables]
    _rename(connection, live, pairs)


def _rename(connection: Connection, schema: str, pairs: Sequence[tuple[str, str, str]]) -> None:
    if not pairs:
        return
    moves = ", ".join(
        f"{quoted(source)}.{quoted(table)} TO {quoted(target)}.{quoted(table)}" for source, table, target in pairs
    )
    text = f"SET SESSION lock_wait_timeout = {LOCK_SECONDS};\nRENAME TABLE {moves};\n"
    load_text(connection, schema, text.encode(), max_silence_seconds=_SILENCE_SECONDS)
