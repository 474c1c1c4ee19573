"""Raw bytes become an artifact and come back, with every byte counted and hashed on the way."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from tracker_backup.errors import CheckFailedError
from tracker_backup.run import artifact
from tracker_backup.run.artifact import Stored, compress, hash_file, read_back
from tracker_backup.system.files import create_private


def nothing(_done: int, _total: int) -> None:
    """Take progress and pass it over."""


def pack(raw: Path, packed: Path) -> Stored:
    """Compress a file as a run does."""
    descriptor = create_private(packed)
    try:
        return compress(raw, descriptor, level=3, threads=1, low_priority=False, keep_cached=True, progress=nothing)
    finally:
        os.close(descriptor)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Return a file of several blocks."""
    path = tmp_path / "raw"
    path.write_bytes(os.urandom(3 * artifact.BLOCK_BYTES + 17))
    return path


def test_what_goes_in_comes_out(tmp_path: Path, raw: Path) -> None:
    packed = tmp_path / "packed.zst"
    data, out = raw.read_bytes(), []

    stored = pack(raw, packed)

    assert stored.bytes == packed.stat().st_size
    assert stored.sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()
    assert (stored.raw_bytes, stored.raw_sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert read_back(packed, low_priority=False, progress=nothing, sink=out.append) == stored
    assert b"".join(out) == data
    assert hash_file(packed, nothing) == (stored.bytes, stored.sha256)
    assert subprocess.run(["zstd", "-dc", str(packed)], capture_output=True, check=True).stdout == data


def test_the_size_stands_in_the_frame(tmp_path: Path, raw: Path) -> None:
    """`zstd -l` shows it, and a restore by hand knows how much room it needs."""
    pack(raw, tmp_path / "packed.zst")

    listed = subprocess.run(["zstd", "-lv", str(tmp_path / "packed.zst")], capture_output=True, text=True, check=True)

    assert f"({raw.stat().st_size} B)" in listed.stdout


@pytest.mark.parametrize("cut", [0, 5, -1])
def test_what_is_cut_off_can_not_be_read_back(tmp_path: Path, raw: Path, cut: int) -> None:
    packed = tmp_path / "packed.zst"
    pack(raw, packed)
    os.truncate(packed, cut if cut >= 0 else packed.stat().st_size + cut)

    with pytest.raises(CheckFailedError, match="cannot be unpacked: zstd exited with 1"):
        read_back(packed, low_priority=False, progress=nothing)


def test_a_full_disk_ends_the_compression(tmp_path: Path, raw: Path) -> None:
    """The compressor must not go on, nor the thread that feeds it."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(OSError, match="No space left") as raised:
            compress(raw, descriptor, level=1, threads=1, low_priority=False, keep_cached=True, progress=nothing)
    finally:
        os.close(descriptor)

    assert raised.value.errno == errno.ENOSPC


def test_an_error_of_whoever_takes_the_data_comes_through(tmp_path: Path, raw: Path) -> None:
    pack(raw, tmp_path / "packed.zst")

    def full(_block: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        read_back(tmp_path / "packed.zst", low_priority=False, progress=nothing, sink=full)


def test_an_error_while_the_raw_copy_is_read_comes_through(
    tmp_path: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compressor waits for the rest of it: it must not wait for ever."""
    real = os.read
    reads: list[int] = []

    def read(descriptor: int, size: int) -> bytes:
        if size == artifact.BLOCK_BYTES:
            reads.append(size)
            if len(reads) == 2:
                raise OSError(errno.EIO, "Input/output error")
        return real(descriptor, size)

    monkeypatch.setattr(artifact.os, "read", read)
    with pytest.raises(OSError, match="Input/output error"):
        pack(raw, tmp_path / "packed.zst")
