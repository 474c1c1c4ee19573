"""The note of a restore in place: whole or not there, and whose it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tracker_backup.errors import RestoreError
from tracker_backup.inplace.marker import (
    MARKER_NAME,
    SWAP,
    Marker,
    Part,
    Stopped,
    claimed,
    read_marker,
    remove_marker,
    write_marker,
)

NOTED = Marker(
    id="20261123T030000Z-daily",
    backup="/backups/20261123T030000Z-daily",
    step=SWAP,
    parts=(Part("sqlite", "tracker", {"live": os.fsdecode(b"/opt/\xff.db")}),),
    stopped=(Stopped("0123", "tracker-1", well=False),),
)


def test_what_is_noted_is_read_again_whatever_bytes_a_path_has(tmp_path: Path) -> None:
    write_marker(tmp_path / "state", NOTED)

    assert read_marker(tmp_path / "state") == NOTED
    assert (tmp_path / "state" / MARKER_NAME).stat().st_mode & 0o777 == 0o600

    remove_marker(tmp_path / "state")
    assert read_marker(tmp_path / "state") is None


@pytest.mark.parametrize("contents", ["", "{}", "[]", '{"parts": [1]}', '{"parts": [], "stopped": [], "more": 1}'])
def test_a_note_that_cannot_be_understood_is_told_and_stays(tmp_path: Path, contents: str) -> None:
    (tmp_path / MARKER_NAME).write_text(contents)

    with pytest.raises(RestoreError, match="cannot be read"):
        read_marker(tmp_path)
    assert (tmp_path / MARKER_NAME).exists()


def test_one_at_a_time(tmp_path: Path) -> None:
    with claimed(tmp_path, wait=False) as first, claimed(tmp_path, wait=False) as second:
        assert (first, second) == (True, False)
    with claimed(tmp_path, wait=True) as again:
        assert again
