"""Turn a raw snapshot into a compressed artifact, and read artifacts back; bytes are hashed as they pass."""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from tracker_backup.errors import CheckFailedError, CommandError
from tracker_backup.system.diskfaults import named
from tracker_backup.system.files import FLUSH_BYTES, drop_cache, opened_for_reading, write_all
from tracker_backup.system.flushing import Flusher
from tracker_backup.system.signals import start_undisturbed
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

    def store(self, read: Callable[[int], bytes | None], descriptor: int, before_write: Callable[[int], None]) -> None:
        """Write all that can be read into a file; it is on the disk when this returns."""
        with Flusher(descriptor) as flusher:
            for block in _blocks(read):
                before_write(len(block))
                write_all(descriptor, block)
                self.add(block)
                flusher.wrote(len(block))

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


class Packer:
    """Compresses a stream with zstd into an open, empty file; the sink of a driver that streams.

    Use it as a context manager, which ends the compressor in any case.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        level: int,
        threads: int,
        low_priority: bool,
        before_write: Callable[[int], None] = lambda _size: None,
    ) -> None:
        """Keep where to and how; nothing runs before :meth:`begin`. `before_write` is as for :func:`compress`."""
        self._descriptor = descriptor
        self._before_write = before_write
        self._argv = ["zstd", "-q", "-c", f"-{level}", f"-T{threads}"]
        self._low_priority = low_priority
        self._child: Child | None = None
        self._drain: threading.Thread | None = None
        self._drain_error: BaseException | None = None
        self._into, self._out = _Tally(), _Tally()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the compressor, whatever it is doing."""
        self._stop()

    def begin(self) -> None:
        """Forget what has been written, and begin anew."""
        self._stop()
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._into, self._out = _Tally(), _Tally()
        self._child = Child(self._argv, low_priority=self._low_priority)
        self._drain = threading.Thread(target=self._store, args=(self._child,), daemon=True)
        start_undisturbed(self._drain)

    def write(self, block: bytes) -> None:
        """Take the next block.

        Raises OSError when the disk does not, CommandError when zstd has failed.
        """
        try:
            write_all(self._require().stdin.fileno(), block)
        except BrokenPipeError:
            self._finished(self._require())
            raise CommandError("zstd has ended before the end of its input") from None
        self._into.add(block)

    def finish(self) -> Stored:
        """End the stream and return what was stored, once it is on the disk.

        Raises as :meth:`write` does.
        """
        child = self._require()
        child.stdin.close()
        self._finished(child)
        drop_cache(self._descriptor)
        return Stored(self._out.bytes, self._out.sha256, self._into.bytes, self._into.sha256)

    def _require(self) -> Child:
        if self._child is None:
            raise CommandError("zstd was not started")
        return self._child

    def _finished(self, child: Child) -> None:
        """Wait for the compressor's end; raises what went wrong, the disk's troubles first: they are the cause."""
        if self._drain is not None:
            self._drain.join()
        if self._drain_error is not None:
            raise self._drain_error
        child.require_success()

    def _stop(self) -> None:
        if self._child is not None:
            self._child.kill()
            if self._drain is not None and self._drain.ident is not None:
                self._drain.join()  # before the pipe that it reads is closed
            self._child.__exit__(None, None, None)
        self._child = self._drain = self._drain_error = None

    def _store(self, child: Child) -> None:
        try:
            self._out.store(child.stdout.read, self._descriptor, self._before_write)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that writes
            self._drain_error = error
            child.kill()


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
        out.store(child.stdout.read, descriptor, before_write)
        child.require_success()
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
    with named(path), opened_for_reading(path) as descriptor:
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
