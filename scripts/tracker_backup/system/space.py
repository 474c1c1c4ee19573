"""Whether there is room for a run: bytes needed against bytes free, by file system."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from tracker_backup.errors import SourceError
from tracker_backup.system.files import free_bytes

RESERVE_BYTES = 64 * 1024 * 1024
ASSUMED_RATIO = 0.6
"""Size of an artifact to its raw snapshot where none is known yet; a tracker's compress to between 0.3 and 0.55."""


def require_room(needs: list[tuple[Path, int, str]]) -> None:
    """Check that every directory has the bytes that it needs; needs on one file system add up.

    Each need is a directory, a number of bytes and what they are for.

    Raises SourceError with the numbers and what to do.
    """
    by_device: dict[int, list[tuple[Path, int, str]]] = defaultdict(list)
    for need in needs:
        by_device[need[0].stat().st_dev].append(need)
    for shared in by_device.values():
        wanted = sum(size for _, size, _ in shared) + RESERVE_BYTES
        free = free_bytes(shared[0][0])
        if free < wanted:
            listed = ", ".join(f"{format_bytes(size)} for {what}" for _, size, what in shared)
            raise SourceError(
                f"not enough room on the disk of {shared[0][0]}: {listed} and a reserve of "
                f"{format_bytes(RESERVE_BYTES)} are needed, {format_bytes(free)} are free",
                hint="keep fewer backups, make room there, or name another disk with `staging`",
            )


def available_memory() -> int:
    """Return the bytes of memory that the kernel could give without pushing anything out."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def fits_in_memory(size: int) -> bool:
    """Return whether `size` bytes may stay in the page cache: at most half of what the kernel could give."""
    return size <= available_memory() // 2


def format_bytes(size: float) -> str:
    """Return a size as people read it, in binary units with their names."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:  # noqa: PLR2004 - the step between units
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.2f} TiB"
