"""Turn a raw snapshot into a compressed artifact, and read artifacts back; bytes are hashed as they pass."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker_backup.errors import CheckFailedError, CommandError
from tracker_backup.system.files import FLUSH_BYTES, drop_cache, flush_and_drop, opened_for_reading, write_all
from tracker_backup.system.stream import Child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BLOCK_BYTES = 1024 * 1024
_ZSTD_HINT = "zstd could not unpack it: the file is damaged or cut off"


@dataclass(frozen=True)
class Stored:
    """Sizes in bytes and SHA-256 of an artifact and of the raw snapshot in it."""

    bytes: int
    sha256: str
    raw_bytes: int
    raw_sha256: str


class _Tally:
    """Counts and hashes what passes."""

    def __init__(self) -> None:
        self.bytes = 0
        self._hash = hashlib.sha256()

    def add(self, block: bytes) -> None:
        self.bytes += len(block)
        self._hash.update(block)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def compress(  # noqa: PLR0913 - what it reads, what it writes, how, and who is told
    raw: Path,
    descriptor: int,
    *,
    level: int,
    threads: int,
    low_priority: bool,
    keep_cached: bool,
    progress: Callable[[int, int], None],
    before_write: Callable[[int], None] = lambda _size: None,
) -> Stored:
    """Compress `raw` with zstd into an open, empty file, flushed to the disk as it grows.

    `keep_cached` leaves the raw file's pages in memory, for a check that reads it at the same time. `before_write` is
    told the size of each block that is about to be written, and may raise to prevent it.

    Raises CommandError when zstd fails, OSError when the disk does.
    """
    into, out = _Tally(), _Tally()
    total = raw.stat().st_size
    argv = ["zstd", "-q", "-c", f"-{level}", f"-T{threads}", f"--stream-size={total}"]
    with Child(argv, low_priority=low_priority) as child:
        child.feed(lambda: _feed(raw, child, into, lambda done: progress(done, total), keep_cached=keep_cached))
        unflushed = 0
        for block in _blocks(child.stdout.read):
            before_write(len(block))
            write_all(descriptor, block)
            out.add(block)
            unflushed += len(block)
            if unflushed >= FLUSH_BYTES:
                flush_and_drop(descriptor)
                unflushed = 0
        child.require_success()
    os.fsync(descriptor)
    drop_cache(descriptor)
    return Stored(out.bytes, out.sha256, into.bytes, into.sha256)


def read_back(
    artifact: Path,
    *,
    low_priority: bool,
    progress: Callable[[int, int], None],
    sink: Callable[[bytes], None] | None = None,
) -> Stored:
    """Unpack an artifact as it lies on the disk, not as the page cache has it, and return what was in it.

    `sink` receives the raw bytes.

    Raises CheckFailedError when it cannot be unpacked; OSError when it cannot be read.
    """
    packed, raw = _Tally(), _Tally()
    total = artifact.stat().st_size
    with opened_for_reading(artifact) as descriptor:
        drop_cache(descriptor)
    with Child(["zstd", "-q", "-d", "-c"], low_priority=low_priority) as child:
        child.feed(lambda: _feed(artifact, child, packed, lambda done: progress(done, total)))
        for block in _blocks(child.stdout.read):
            raw.add(block)
            if sink is not None:
                sink(block)
        try:
            child.require_success()
        except CommandError as error:
            raise CheckFailedError(f"{artifact} cannot be unpacked: {error.message}", hint=_ZSTD_HINT) from error
    return Stored(packed.bytes, packed.sha256, raw.bytes, raw.sha256)


def hash_file(artifact: Path, progress: Callable[[int, int], None]) -> tuple[int, str]:
    """Return size and SHA-256 of a file as it lies on the disk."""
    tally = _Tally()
    total = artifact.stat().st_size
    with opened_for_reading(artifact) as descriptor:
        drop_cache(descriptor)
        for block in _file_blocks(descriptor):
            tally.add(block)
            progress(tally.bytes, total)
    return tally.bytes, tally.sha256


def _feed(
    path: Path, child: Child, tally: _Tally, progress: Callable[[int], None], *, keep_cached: bool = False
) -> None:
    with opened_for_reading(path) as descriptor:
        for block in _file_blocks(descriptor, keep_cached=keep_cached):
            tally.add(block)
            write_all(child.stdin.fileno(), block)
            progress(tally.bytes)


def _file_blocks(descriptor: int, *, keep_cached: bool = False) -> Iterator[bytes]:
    """Read a file of ours to its end; what has been read does not stay in the page cache, the tracker needs it."""
    undropped = 0
    for block in _blocks(lambda size: os.read(descriptor, size)):
        yield block
        undropped += len(block)
        if undropped >= FLUSH_BYTES and not keep_cached:
            drop_cache(descriptor)
            undropped = 0
    if not keep_cached:
        drop_cache(descriptor)


def _blocks(read: Callable[[int], bytes | None]) -> Iterator[bytes]:
    while block := read(BLOCK_BYTES):
        yield block
