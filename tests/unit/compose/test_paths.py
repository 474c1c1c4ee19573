from __future__ import annotations

from pathlib import Path

import pytest

from tracker_backup.compose.model import Mount
from tracker_backup.compose.paths import NotOnHost, OnHost, locate, normal

LIB = Mount("bind", "/opt/stack/lib", "/var/lib/torrust")
DATABASE = Mount("bind", "/srv/db", "/var/lib/torrust/database")
FILE = Mount("bind", "/srv/one.db", "/data/one.db")
VOLUME = Mount("volume", "data", "/var/lib/torrust/volume")
TMPFS = Mount("tmpfs", "", "/run")
MOUNTS = (LIB, DATABASE, FILE, VOLUME, TMPFS)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/var/lib/torrust/a.db", OnHost(Path("/opt/stack/lib/a.db"), LIB, "directory")),
        ("/var/lib/torrust/x/../y/./a.db", OnHost(Path("/opt/stack/lib/y/a.db"), LIB, "directory")),
        ("//var/lib//torrust/a.db", OnHost(Path("/opt/stack/lib/a.db"), LIB, "directory")),
        ("/var/lib/torrust/database/a.db", OnHost(Path("/srv/db/a.db"), DATABASE, "directory")),
        ("/var/lib/torrust/database2/a.db", OnHost(Path("/opt/stack/lib/database2/a.db"), LIB, "directory")),
        ("/data/one.db", OnHost(Path("/srv/one.db"), FILE, "file")),
        ("/var/lib/torrust/volume/a.db", NotOnHost(VOLUME)),
        ("/run/a.db", NotOnHost(TMPFS)),
        ("/data/two.db", NotOnHost(None)),
        ("/var/lib/torrust-other/a.db", NotOnHost(None)),
    ],
)
def test_the_longest_mount_that_covers_a_path_places_it(path: str, expected: OnHost | NotOnHost) -> None:
    assert locate(path, MOUNTS) == expected


def test_of_equal_mounts_the_last_wins() -> None:
    later = Mount("bind", "/later", LIB.target)
    assert locate("/var/lib/torrust/a", (LIB, later)) == OnHost(Path("/later/a"), later, "directory")


def test_a_mounted_root_covers_everything() -> None:
    root = Mount("bind", "/opt/root", "/")
    assert locate("/a/b", (root,)) == OnHost(Path("/opt/root/a/b"), root, "directory")


def test_symbolic_links_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    mount = Mount("bind", str(tmp_path / "link"), "/data")
    place = locate("/data/a.db", (mount,))
    assert isinstance(place, OnHost)
    assert place.path == tmp_path / "link" / "a.db"


def test_relative_paths_are_taken_from_the_base() -> None:
    assert normal("./storage/a.db", base="/home/torrust") == "/home/torrust/storage/a.db"
    assert normal("/a/b/", base="/home/torrust") == "/a/b"
