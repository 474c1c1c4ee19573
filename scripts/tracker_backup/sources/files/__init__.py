"""The rest of a stack: its directory and its mounts, in one tar, the SQLite databases in it copied as databases."""
