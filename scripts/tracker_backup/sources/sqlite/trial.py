"""How fast a database can be read here, where no earlier copy tells: a short trial, before anything is locked."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from tracker_backup.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

TRIAL_BYTES = 64 * 1024 * 1024
_BLOCK_BYTES = 1024 * 1024
_COPY_SHARE = 0.8
"""What a copy makes of the bare reading rate: it writes as well, page by page."""

_MOST_BYTES_PER_SECOND = 800_000_000
"""However fast a file is read from the page cache, SQLite hands it over page by page."""


def trial_rate(path: Path) -> float:
    """Return the bytes per second that a copy of a file is expected to make; nobody here may have it open.

    Pieces from all over the file are read, as much of it may lie in the page cache.

    Raises SourceError when the disk cannot.
    """
    size = path.stat().st_size
    pieces = max(1, min(TRIAL_BYTES, size) // _BLOCK_BYTES)
    stride = max(_BLOCK_BYTES, size // pieces)
    began = time.perf_counter()
    try:
        done = _read_pieces(path, pieces, stride)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}", hint="look at `dmesg` and the disk") from error
    rate = _COPY_SHARE * done / max(time.perf_counter() - began, 1e-6)
    return min(max(1.0, rate), _MOST_BYTES_PER_SECOND)


def _read_pieces(path: Path, pieces: int, stride: int) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return sum(len(os.pread(descriptor, _BLOCK_BYTES, piece * stride)) for piece in range(pieces))
    finally:
        os.close(descriptor)
