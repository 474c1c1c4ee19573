"""The last step of a restore, where file systems differ."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tracker_backup.errors import UsageError
from tracker_backup.run.restore import _put_in_place


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the file system be one of a USB stick."""

    def link(_source: object, target: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted", str(target))

    monkeypatch.setattr(os, "link", link)


def test_a_target_that_came_up_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("new")
    (tmp_path / "target").write_text("precious")

    with pytest.raises(FileExistsError):
        _put_in_place(tmp_path / "new", tmp_path / "target")

    assert (tmp_path / "target").read_text() == "precious"


@pytest.mark.usefixtures("no_links")
def test_a_file_system_without_links_will_do(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("new")

    _put_in_place(tmp_path / "new", tmp_path / "target")

    assert (tmp_path / "target").read_text() == "new"


@pytest.mark.usefixtures("no_links")
def test_nor_is_a_target_replaced_there(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("new")
    (tmp_path / "target").write_text("precious")

    with pytest.raises(UsageError, match="there is already"):
        _put_in_place(tmp_path / "new", tmp_path / "target")

    assert (tmp_path / "target").read_text() == "precious"
