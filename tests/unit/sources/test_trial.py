"""The trial reads a bounded part of a file, from all over it, and leaves it alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tracker_backup.errors import SourceError
from tracker_backup.sources.sqlite import trial
from tracker_backup.sources.sqlite.trial import TRIAL_BYTES, trial_rate

MIB = 1024**2


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Return the list of reads, offset and length, that a trial makes."""
    seen: list[tuple[int, int]] = []
    pread = os.pread

    def note(descriptor: int, length: int, offset: int) -> bytes:
        data = pread(descriptor, length, offset)
        seen.append((offset, len(data)))
        return data

    monkeypatch.setattr(trial.os, "pread", note)
    return seen


def test_a_large_file_is_read_in_part_and_all_over(tmp_path: Path, reads: list[tuple[int, int]]) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(20 * 1024 * MIB)

    assert trial_rate(path) > 0

    assert sum(length for _, length in reads) == TRIAL_BYTES
    assert reads[0][0] == 0
    assert reads[-1][0] > 19 * 1024 * MIB
    assert len({offset for offset, _ in reads}) == len(reads)


@pytest.mark.parametrize("size", [1, 4096, MIB, 5 * MIB + 7])
def test_a_small_file_is_read_once(tmp_path: Path, reads: list[tuple[int, int]], size: int) -> None:
    path = tmp_path / "small"
    path.write_bytes(b"x" * size)

    assert trial_rate(path) > 0

    assert sum(length for _, length in reads) <= size
    assert len(reads) == max(1, size // MIB)


def test_a_file_that_was_emptied_meanwhile_has_a_rate_to_divide_by(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()

    assert trial_rate(path) >= 1


def test_a_copy_reads_and_hands_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both take their time for each byte; neither alone must be taken for the whole."""
    path = tmp_path / "small"
    path.write_bytes(b"x" * 8 * MIB)
    clock = iter([100.0, 104.0])
    monkeypatch.setattr(trial.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(trial, "handing_rate", lambda: 6.0 * MIB)

    assert trial_rate(path) == pytest.approx(1.5 * MIB)


def test_a_disk_that_cannot_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "small"
    path.write_bytes(b"x")

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(trial.os, "pread", fail)

    with pytest.raises(SourceError, match=f"cannot read {path}: Input/output error"):
        trial_rate(path)


def test_a_file_in_the_page_cache_is_not_believed_to_be_copied_as_fast_as_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is read several times as fast as SQLite copies; the prediction would be as far off."""
    path = tmp_path / "cached"
    path.write_bytes(bytes(64 * MIB))
    monkeypatch.setattr(trial, "handing_rate", lambda: 10.0 * MIB)

    assert trial_rate(path) < 10 * MIB


def test_handing_over_is_measured() -> None:
    assert trial.handing_rate() > MIB
