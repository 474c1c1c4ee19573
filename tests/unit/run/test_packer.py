"""A stream is compressed while it comes: begun anew when it must be, and what goes wrong is told as what it is."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracker_backup.errors import CommandError, SourceError
from tracker_backup.run.artifact import Packer


@pytest.fixture
def target(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    path = tmp_path / "artifact.zst"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    yield path, descriptor
    os.close(descriptor)


def packer(descriptor: int, **options: object) -> Packer:
    return Packer(descriptor, level=3, threads=1, low_priority=False, **options)  # type: ignore[arg-type]


def unpacked(path: Path) -> bytes:
    return subprocess.run(["zstd", "-d", "-c", str(path)], capture_output=True, check=True).stdout


def test_what_is_written_is_stored_with_both_checksums(target: tuple[Path, int]) -> None:
    path, descriptor = target
    blocks = [b"INSERT" * 1000, b"", os.urandom(3_000_000), b"end"]
    with packer(descriptor) as sink:
        sink.begin()
        for block in blocks:
            sink.write(block)
        stored = sink.finish()

    raw = b"".join(blocks)
    assert unpacked(path) == raw
    assert (stored.raw_bytes, stored.raw_sha256) == (len(raw), hashlib.sha256(raw).hexdigest())
    assert (stored.bytes, stored.sha256) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())


def test_beginning_anew_forgets_what_was_written(target: tuple[Path, int]) -> None:
    path, descriptor = target
    with packer(descriptor) as sink:
        sink.begin()
        sink.write(os.urandom(5_000_000))
        sink.begin()
        sink.write(b"second")
        stored = sink.finish()

    assert unpacked(path) == b"second"
    assert (stored.bytes, stored.raw_bytes) == (path.stat().st_size, 6)


def test_a_disk_that_does_not_take_it_is_told_as_such(tmp_path: Path) -> None:
    """A file that may not be written to stands for a full disk."""
    path = tmp_path / "artifact.zst"
    path.touch()
    descriptor = os.open(path, os.O_RDWR)
    with packer(descriptor) as sink:
        sink.begin()
        full = os.open("/dev/full", os.O_RDWR)
        os.dup2(full, descriptor)
        os.close(full)
        with pytest.raises(OSError, match="No space left on device"):
            write_much(sink)
    os.close(descriptor)


def write_much(sink: Packer) -> None:
    sink.write(os.urandom(50_000_000))
    sink.finish()


def test_what_speaks_against_a_write_reaches_the_one_who_writes(target: tuple[Path, int]) -> None:
    def refuse(_size: int) -> None:
        raise SourceError("not enough room")

    with packer(target[1], before_write=refuse) as sink:
        sink.begin()
        with pytest.raises(SourceError, match="not enough room"):
            write_much(sink)


def test_a_compressor_that_ends_is_told(target: tuple[Path, int]) -> None:
    with packer(target[1]) as sink:
        sink.begin()
        assert sink._child is not None
        sink._child.kill()
        with pytest.raises(CommandError, match="zstd"):
            write_much(sink)


def test_leaving_early_ends_the_compressor(target: tuple[Path, int]) -> None:
    with packer(target[1]) as sink:
        sink.begin()
        child = sink._child
        assert child is not None
    assert child._process.poll() is not None
