"""Whether we are in a container of our own placements, and in which one."""

from __future__ import annotations

import os
import re
from pathlib import Path

NOTE = Path("/run/tracker-backup/here.json")
"""Written by the entry point, in a file system that is gone with the container; see placement/here.py."""
PLACEMENT_VARIABLE = "TRACKER_BACKUP_PLACEMENT"
"""What Compose tells our containers, and by which our own services are known in a stack."""

_SHORT = 12
_OWN = re.compile(r"/containers/([0-9a-f]{64})/")


def in_container() -> bool:
    """Return whether we are in a container that the entry point, Compose or the orchestrator has made for us."""
    return PLACEMENT_VARIABLE in os.environ or NOTE.exists()


def container_id() -> str | None:
    """Return Docker's id of the container we are in, as the kernel tells where its files come from; None on a host.

    A host is told by its having made no container of ours: it may have what Docker has mounted for others.
    """
    if not in_container():
        return None
    try:
        return container_in(Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None


def short_id() -> str | None:
    """Return the id of the container we are in as `docker ps` shows it, None on a host."""
    found = container_id()
    return None if found is None else found[:_SHORT]


def container_in(mounts: str) -> str | None:
    """Return the id of the container whose `/proc/self/mountinfo` this is."""
    found = _OWN.search(mounts)
    return None if found is None else found[1]
