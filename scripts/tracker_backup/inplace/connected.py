"""Who is connected to a schema, once the containers of a stack that use it have been stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tracker_backup.inplace.interface import Opener

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_USER, _HOST, _SCHEMA = 1, 2, 3
"""Columns of SHOW PROCESSLIST."""
_CONNECTIONS_END_SECONDS = 10.0
_POLL_SECONDS = 0.2


def connected(sessions: Callable[[], Sequence[Sequence[str]]], schema: str, server: str) -> list[Opener]:
    """Return who is in the schema; connections of containers that have ended go within moments.

    `sessions` asks the server for SHOW FULL PROCESSLIST, and is called until nobody is left, or too long.
    """
    give_up = time.monotonic() + _CONNECTIONS_END_SECONDS
    while True:
        found = [row for row in sessions() if len(row) > _SCHEMA and row[_SCHEMA] == schema]
        if not found or time.monotonic() > give_up:
            place = f"schema {schema} of {server}"
            return [Opener(int(row[0]), f"connection of {row[_USER]}@{row[_HOST]}", place) for row in found]
        time.sleep(_POLL_SECONDS)
