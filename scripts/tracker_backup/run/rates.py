"""Rates of copies that were given up: what is known not to fit is not tried again every night."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING

from tracker_backup.system.files import make_public_directory, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

FORGET_AFTER_SECONDS = 7 * 86400
"""After a week it is tried again: the disk may have been slow that night."""

_NAME = "rates.json"


def read_rates(state_directory: Path) -> dict[str, float]:
    """Return bytes per second by source, of copies of the last week that did not fit."""
    now = time.time()
    noted = _read(state_directory).items()
    return {name: rate for name, (rate, noted_at) in noted if now - FORGET_AFTER_SECONDS < noted_at <= now}


def note_rate(state_directory: Path, source: str, rate: float) -> None:
    """Note the rate of a copy that did not fit; raises OSError when it cannot be written."""
    _write(state_directory, {**_read(state_directory), source: (rate, time.time())})


def forget_rate(state_directory: Path, source: str) -> None:
    """Forget what was noted of a source that has been copied since; raises OSError when it cannot be written."""
    noted = _read(state_directory)
    if noted.pop(source, None) is not None:
        _write(state_directory, noted)


def _write(state_directory: Path, noted: dict[str, tuple[float, float]]) -> None:
    make_public_directory(state_directory)  # status.json is read there by others
    write_atomically(state_directory / _NAME, (json.dumps(noted) + "\n").encode(), 0o644)


def _read(state_directory: Path) -> dict[str, tuple[float, float]]:
    try:
        noted = json.loads((state_directory / _NAME).read_bytes())
        pairs = {name: (float(rate), float(noted_at)) for name, (rate, noted_at) in noted.items()}
    except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return {}  # a prediction will be made from a trial instead
    return {name: pair for name, pair in pairs.items() if pair[0] > 0 and all(map(math.isfinite, pair))}
