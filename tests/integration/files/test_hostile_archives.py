"""Nothing in an archive gets outside of the directory that it is unpacked into."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from support.archives import make, member
from tracker_backup.errors import RestoreError
from tracker_backup.sources.files.driver import FilesDriver
from tracker_backup.sources.files.restoring import unfold

pytestmark = pytest.mark.guarantee(13)


def messages(archive: Path) -> str:
    """Return what the check has against an archive."""
    result = FilesDriver().start_check(archive, full=False, low_priority=False).result()
    return "" if result.ok else "; ".join(result.messages)


@pytest.mark.parametrize("name", ["/absolute", "../above", "a/../../above", ".."])
def test_a_name_that_leads_elsewhere_fails_the_check(tmp_path: Path, name: str) -> None:
    archive = make(tmp_path / "bad.tar", member(name, content=b"x"))

    assert "outside of its place" in messages(archive)


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_a_device_fails_the_check(tmp_path: Path, kind: bytes) -> None:
    assert "devices" in messages(make(tmp_path / "bad.tar", member("null", kind)))


@pytest.mark.parametrize("name", ["/absolute", "../above", "a/../../above"])
def test_nor_would_tar_let_it_out(tmp_path: Path, name: str) -> None:
    """The check is made before; this is what is behind it."""
    archive = make(tmp_path / "bad.tar", member(name, content=b"x"), member("good", content=b"y"))
    place = tmp_path / "deep" / "place"
    place.parent.mkdir()

    try:
        unfold(archive, place, {})
    except RestoreError:
        assert not place.exists()

    assert not Path("/absolute").exists()
    assert not (tmp_path / "deep" / "above").exists()


@pytest.mark.parametrize("target", ["{outside}", "../../outside"])
def test_a_link_is_not_followed(tmp_path: Path, target: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("precious")
    link = member("link", tarfile.SYMTYPE, target.format(outside=outside))
    archive = make(tmp_path / "bad.tar", link, member("link/file", content=b"overwritten"))

    with pytest.raises(RestoreError):
        unfold(archive, tmp_path / "deep", {})

    assert (outside / "file").read_text() == "precious"
    assert list(outside.iterdir()) == [outside / "file"]
    assert not (tmp_path / "deep").exists()


def test_a_hard_link_reaches_nothing_outside(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("precious")
    archive = make(
        tmp_path / "bad.tar",
        member("link", tarfile.LNKTYPE, str(tmp_path / "secret")),
        member("link", content=b"overwritten"),
    )

    with pytest.raises(RestoreError):
        unfold(archive, tmp_path / "deep", {})

    assert (tmp_path / "secret").read_text() == "precious"
    assert (tmp_path / "secret").stat().st_nlink == 1
    assert not (tmp_path / "deep").exists()


def test_links_of_a_stack_come_back_wherever_they_lead(tmp_path: Path) -> None:
    archive = make(
        tmp_path / "good.tar",
        member("stack", tarfile.DIRTYPE),
        member("stack/absolute", tarfile.SYMTYPE, "/etc/hostname"),
        member("stack/above", tarfile.SYMTYPE, "../../elsewhere"),
    )

    assert messages(archive) == ""
    unfold(archive, tmp_path / "deep", {})

    assert (tmp_path / "deep/stack/absolute").readlink() == Path("/etc/hostname")
    assert (tmp_path / "deep/stack/above").readlink() == Path("../../elsewhere")
