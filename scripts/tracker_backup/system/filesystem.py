"""On which file system a path lies, from the kernel's list of mounts (proc(5), /proc/PID/mountinfo)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Mount:
    """A mounted file system: where, of which type, and on which device, which all its mounts have in common.

    The device of mountinfo, not stat's: each subvolume of a btrfs has one of its own there.
    """

    point: str
    type: str
    device: str


def mount_of(path: Path, mountinfo: str | None = None) -> Mount:
    """Return the mount that a path, or its nearest existing parent, lies on."""
    text = (
        Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
        if mountinfo is None
        else mountinfo
    )
    real = path.resolve()
    best = Mount("", "", "")
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split()
        point = _ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields[4])
        # Later lines cover earlier ones that have the same place.
        if real.is_relative_to(point) and len(point) >= len(best.point):
            best = Mount(point, after.split()[0], fields[2])
    return best
