"""Bring a stopped database into one file, as a program of its own: it may be damaged, and kill who reads it.

Usage: python3 -I fold_child.py FILE. SQLite applies the -wal, or rolls the hot journal back, and removes it; the
journal mode stays what it is. Whether that loses nothing is looked at before, in fold.py. Exits with 0 when that was
possible; else it says why not. Standard library only.
"""

import os
import sqlite3
import sys
from urllib.parse import quote

BUSY_SECONDS = 5
MAGIC = b"SQLite format 3\x00"


def main(path: str) -> int:
    """Fold, and return the exit code."""
    with open(path, "rb") as file:  # noqa: PTH123 - nothing but what is needed is imported
        if file.read(len(MAGIC)) != MAGIC:
            sys.stderr.write("it is no SQLite database\n")  # SQLite would find out as well, and clear its -wal first
            return 1
    uri = f"file:{quote(os.fsencode(path))}?mode=rw"
    try:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
        # A checkpoint parses the schema, which may be too new for us; so it is told to make nothing of that.
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("PRAGMA schema_version").fetchone()
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        connection.close()
    except sqlite3.Error as error:
        sys.stderr.write(f"SQLite: {error}\n")
        return 1
    if busy:
        sys.stderr.write("somebody uses it\n")
    return 1 if busy else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
