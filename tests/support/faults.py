"""How hard the fault suite tries: long under `make faults`, short in `make test`."""

from __future__ import annotations

import os

FULL = os.environ.get("TRACKER_BACKUP_FAULTS") == "full"
"""Whether this is the long form."""


def rounds(full: int, *, short: int) -> int:
    """Return how often to try something: `full` times under `make faults`, else `short`."""
    return full if FULL else short
