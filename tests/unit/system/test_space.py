"""Room is added up by file system, and what is missing is told with its numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker_backup.errors import SourceError
from tracker_backup.system import space

MIB = 1024**2


@pytest.fixture
def one_gibibyte_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every file system have 1 GiB left."""
    monkeypatch.setattr(space, "free_bytes", lambda _path: 1024 * MIB)


@pytest.mark.usefixtures("one_gibibyte_free")
def test_needs_on_one_file_system_add_up(tmp_path: Path) -> None:
    space.require_room([(tmp_path, 900 * MIB, "a copy"), (tmp_path, 60 * MIB, "its artifact")])

    with pytest.raises(SourceError) as raised:
        space.require_room([(tmp_path, 900 * MIB, "a copy"), (tmp_path, 61 * MIB, "its artifact")])

    assert raised.value.message == (
        f"not enough room on the disk of {tmp_path}: 900.0 MiB for a copy, 61.0 MiB for its artifact and 64.0 MiB that "
        "stay free are needed, 1.0 GiB are free: 1.0 MiB are missing"
    )
    assert raised.value.hint == "make room for 1.0 MiB there"


@pytest.mark.parametrize(
    ("text", "on_a_tebibyte"),
    [
        ("5%", 1024**4 // 20), ("0.5 %", 1024**4 // 200), ("2 GiB", 2 * 1024**3), ("512MiB", 512 * MIB),
        ("1.5 KiB", 1536), ("0%", 0), ("0 KiB", 0), ("1 TiB", 1024**4),
    ],
)  # fmt: skip
def test_what_stays_free_is_a_size_or_a_share(
    text: str, on_a_tebibyte: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "disk_bytes", lambda _path: 1024**4)

    assert space.parse_min_free(text).on(tmp_path) == on_a_tebibyte


@pytest.mark.parametrize("text", ["", "5", "five %", "5 %%", "2 GB", "-1 GiB"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="neither a percentage nor a size"):
        space.parse_min_free(text)


def test_the_watch_looks_at_what_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = 100 * MIB
    monkeypatch.setattr(space, "free_bytes", lambda _path: free)
    watch = space.RoomWatch([tmp_path, tmp_path], space.MinFree(90 * MIB))

    watch.require(10 * MIB)
    with pytest.raises(SourceError, match=r"100\.0 MiB are free, and 90\.0 MiB stay free \(min_free\)"):
        watch.require(10 * MIB + 1)


@pytest.mark.usefixtures("one_gibibyte_free")
def test_needs_on_two_file_systems_do_not(tmp_path: Path) -> None:
    space.require_room([(tmp_path, 900 * MIB, "a copy"), (Path("/dev/shm"), 900 * MIB, "its artifact")])


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536 * 1024, "1.5 MiB"), (17.6e9, "16.4 GiB"),
        (5 * 1024**4, "5.00 TiB"), (-2048, "-2.0 KiB"),
    ],
)  # fmt: skip
def test_sizes_are_told_in_binary_units(size: float, text: str) -> None:
    assert space.format_bytes(size) == text


def test_a_file_fits_in_memory_as_long_as_a_quarter_of_what_is_available_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(space, "available_memory", lambda: 4000)

    assert space.fits_in_memory(3000)
    assert not space.fits_in_memory(3001)


def test_a_file_of_no_host_s_size_does_not_fit() -> None:
    assert space.fits_in_memory(0)
    assert not space.fits_in_memory(2**60)
