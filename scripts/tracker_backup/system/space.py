"""Whether there is room for a run: bytes needed against bytes free, by file system."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.errors import SourceError
from tracker_backup.system.files import disk_bytes, free_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

ASSUMED_RATIO = 0.6
"""Size of an artifact to its raw snapshot where none is known yet; a tracker's compress to between 0.3 and 0.55."""

_UNITS = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}
_MIN_FREE = re.compile(r"([0-9.]+) ?(%|KiB|MiB|GiB|TiB)")

Need = tuple[Path, int, str]
"""A directory, the bytes that it needs, and what they are for."""


@dataclass(frozen=True)
class MinFree:
    """What stays free on every disk that is written to: a number of bytes, or per cent of the disk."""

    bytes: int = 64 * 1024**2
    percent: float = 0.0

    def on(self, path: Path) -> int:
        """Return the bytes that stay free on the disk of `path`."""
        return int(disk_bytes(path) * self.percent / 100) if self.percent else self.bytes


def parse_min_free(text: str) -> MinFree:
    """Read "5%" or "2 GiB"; raises ValueError for anything else."""
    match = _MIN_FREE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is neither a percentage nor a size such as 2 GiB")
    number, unit = float(match[1]), match[2]
    return MinFree(0, number) if unit == "%" and number else MinFree(int(number * _UNITS.get(unit, 0)))


@dataclass(frozen=True)
class Shortage:
    """A disk without room for what is needed there; sizes in bytes, `floor` is what stays free."""

    path: Path
    needs: tuple[Need, ...]
    floor: int
    free: int

    @property
    def missing(self) -> int:
        """How much more would have to be free."""
        return sum(size for _, size, _ in self.needs) + self.floor - self.free

    def __str__(self) -> str:
        """Return the numbers in a sentence."""
        listed = ", ".join(f"{format_bytes(size)} for {what}" for _, size, what in self.needs)
        return (
            f"not enough room on the disk of {self.path}: {listed} and {format_bytes(self.floor)} that stay free are "
            f"needed, {format_bytes(self.free)} are free: {format_bytes(self.missing)} are missing"
        )


def shortages(needs: Sequence[Need], min_free: MinFree) -> list[Shortage]:
    """Return the disks that have too little room; needs on one file system add up."""
    by_device: dict[int, list[Need]] = defaultdict(list)
    for need in needs:
        by_device[need[0].stat().st_dev].append(need)
    found = []
    for shared in by_device.values():
        path = shared[0][0]
        shortage = Shortage(path, tuple(shared), min_free.on(path), free_bytes(path))
        if shortage.missing > 0:
            found.append(shortage)
    return found


def require_room(needs: Sequence[Need], min_free: MinFree | None = None, hint: str | None = None) -> None:
    """Check that every directory has the bytes that it needs, and leaves free what has to stay so.

    Raises SourceError with the numbers and what to do, which is `hint` if there is one.
    """
    for shortage in shortages(needs, min_free or MinFree()):
        raise SourceError(str(shortage), hint=hint or f"make room for {format_bytes(shortage.missing)} there")


class RoomWatch:
    """Watches in mid-run that what has to stay free does: others write to the same disks."""

    def __init__(self, directories: Sequence[Path], min_free: MinFree) -> None:
        """Remember one directory of each disk, and what stays free there."""
        disks = {path.stat().st_dev: path for path in directories}
        self._floors = [(path, min_free.on(path)) for path in disks.values()]

    def require(self, size: int) -> None:
        """Check that `size` more bytes may be written to any of the disks.

        Raises SourceError with the numbers.
        """
        for path, floor in self._floors:
            free = free_bytes(path)
            if free - size < floor:
                raise SourceError(
                    f"the disk of {path} is filling up: {format_bytes(free)} are free, and {format_bytes(floor)} stay "
                    "free (min_free); given up, and what was written is deleted",
                    hint="find out what else grows on that disk; the next run tries again",
                )


def available_memory() -> int:
    """Return the bytes of memory that the kernel could give without pushing anything out."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def fits_in_memory(size: int) -> bool:
    """Return whether `size` bytes may stay in the page cache: at most three quarters of what the kernel could give.

    What others use again and again it keeps all the same; what of ours is not kept is read from the disk three times.
    """
    return size <= available_memory() // 4 * 3


def format_bytes(size: float) -> str:
    """Return a size as people read it, in binary units with their names."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:  # noqa: PLR2004 - the step between units
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.2f} TiB"
