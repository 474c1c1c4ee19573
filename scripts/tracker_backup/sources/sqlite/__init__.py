"""SQLite databases: a copy of a live one that finishes, and its check."""
