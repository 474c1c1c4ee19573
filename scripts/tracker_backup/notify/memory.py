"""What is remembered from one run to the next: whose last run was bad, and that a notification could not be sent."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tracker_backup.system.files import make_public_directory, write_atomically
from tracker_backup.system.records import made

if TYPE_CHECKING:
    from pathlib import Path

_NAME = "notifications.json"


@dataclass(frozen=True)
class Memory:
    """`bad` are the jobs whose last scheduled run did not end well; `problem` is why nothing gets through, since when.

    `problem` holds no address. Times are UTC (RFC 3339).
    """

    bad: list[str]
    problem: str | None = None
    since: str | None = None


def read_memory(directory: Path) -> Memory:
    """Return what was remembered, nothing where it cannot be read."""
    try:
        return made(Memory, json.loads((directory / _NAME).read_bytes()))
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return Memory([])  # at worst a recovery is not told of


def write_memory(directory: Path, memory: Memory) -> None:
    """Remember; raises OSError when that cannot be written."""
    make_public_directory(directory)  # status.json is read there by others
    write_atomically(directory / _NAME, (json.dumps(asdict(memory), indent=2) + "\n").encode(), 0o600)
