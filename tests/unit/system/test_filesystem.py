"""Which file system a path lies on, from the kernel's own list."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker_backup.system.filesystem import Mount, mount_of

LIST = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 8:2 / /data rw shared:2 master:3 - xfs /dev/sdb1 rw,inode64
31 30 8:2 /sub /data/bound rw - xfs /dev/sdb1 rw,inode64
32 22 0:40 /@opt /opt rw - btrfs /dev/sdc1 rw,subvol=/@opt
33 22 0:40 /@var /var rw - btrfs /dev/sdc1 rw,subvol=/@var
34 22 8:3 / /a\040disk\134with\012odd\011name rw - xfs /dev/sdd1 rw
35 22 0:50 / /twice rw - tmpfs first rw
36 35 0:51 / /twice rw - nfs4 second:/ rw
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/etc/passwd", Mount("/", "ext4", "8:1")),
        ("/", Mount("/", "ext4", "8:1")),
        ("/data/tracker.db", Mount("/data", "xfs", "8:2")),
        ("/data", Mount("/data", "xfs", "8:2")),
        ("/database/tracker.db", Mount("/", "ext4", "8:1")),
        ("/data/bound/not/there/yet", Mount("/data/bound", "xfs", "8:2")),
        ("/opt/torrust/tracker.db", Mount("/opt", "btrfs", "0:40")),
        ("/var/backups", Mount("/var", "btrfs", "0:40")),
        ("/a disk\\with\nodd\tname/x", Mount("/a disk\\with\nodd\tname", "xfs", "8:3")),
        ("/twice/x", Mount("/twice", "nfs4", "0:51")),
    ],
)
def test_the_innermost_and_newest_mount_counts(path: str, expected: Mount) -> None:
    assert mount_of(Path(path), LIST) == expected


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/data")

    assert mount_of(tmp_path / "link" / "tracker.db", LIST).type == "xfs"


def test_the_kernel_s_own_list_can_be_read() -> None:
    assert mount_of(Path("/proc/self/status")).type == "proc"
