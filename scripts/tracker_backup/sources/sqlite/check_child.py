"""The check of a copy, as a program of its own: a mapped file that shrinks, or a bad disk, may kill it with a signal.

Usage: python3 -I check_child.py FILE quick_check|integrity_check; prints one JSON object. Standard library only.
"""

import json
import os
import sqlite3
import sys
import threading
from urllib.parse import quote

MAP_BYTES = 2 * 1024**3
CACHE_KIB = 8 * 1024
MOST_MESSAGES = 20
TABLES = "SELECT name FROM sqlite_schema WHERE type='table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name"


def main(path: str, pragma: str) -> None:
    """Check the database and print what was found."""
    threading.Thread(target=end_with_the_program, daemon=True).start()
    connection = sqlite3.connect(f"file:{quote(os.fsencode(path))}?mode=ro&immutable=1", uri=True, isolation_level=None)
    found: dict[str, object] = {
        "library": sqlite3.sqlite_version,
        "newer_schema": False,
        "unverifiable": None,
        "messages": [],
    }
    try:
        found["messages"] = run_check(connection, pragma)
    except sqlite3.DatabaseError as error:
        found.update(second_attempt(connection, pragma, str(error)))
    found.update(describe(connection))
    sys.stdout.write(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)


def end_with_the_program() -> None:
    """End when stdin does: the program that asked is gone then, and nobody wants the answer any more."""
    # Not sys.stdin: a thread that waits in there makes the interpreter abort at its end.
    while os.read(0, 4096):
        pass
    os._exit(1)


def run_check(connection: sqlite3.Connection, pragma: str) -> list[str]:
    """Return the check's messages; the only one of a sound database is `ok`."""
    connection.execute(f"PRAGMA mmap_size={MAP_BYTES}")
    connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")  # this one parses the schema, and so may fail
    return [str(row[0]) for row in connection.execute(f"PRAGMA {pragma}({MOST_MESSAGES})")]


def second_attempt(connection: sqlite3.Connection, pragma: str, problem: str) -> dict[str, object]:
    """Tell a schema, function or collation that this library does not know from a damaged file."""
    if any(word in problem for word in ("no such function", "unknown function", "no such collation", "no such module")):
        return {"unverifiable": problem}
    if "malformed database schema" not in problem:
        return {"messages": [problem]}
    connection.execute("PRAGMA writable_schema=ON")
    try:
        return {"messages": run_check(connection, pragma), "newer_schema": True}
    except sqlite3.DatabaseError as error:
        return {"messages": [problem, str(error)]}


def describe(connection: sqlite3.Connection) -> dict[str, object]:
    """Return the tables and which of them are empty: sound and empty is not what a backup is for."""
    try:
        tables = [row[0] for row in connection.execute(TABLES)]
    except sqlite3.DatabaseError:
        return {"tables": None, "empty_tables": None}
    return {"tables": tables, "empty_tables": [name for name in tables if is_empty(connection, name)]}


def is_empty(connection: sqlite3.Connection, table: str) -> bool:
    """Return whether a table has no row; one that cannot be read (a virtual one, say) does not count as empty."""
    quoted = table.replace('"', '""')
    try:
        return connection.execute(f'SELECT 1 FROM "{quoted}" LIMIT 1').fetchone() is None  # noqa: S608 - quoted
    except sqlite3.DatabaseError:
        return False


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
