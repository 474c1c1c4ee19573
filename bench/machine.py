"""The machine that is measured on, and its caches."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from bench.settings import ROOT


def describe(directory: Path) -> dict[str, Any]:
    """Return what a reader must know of the machine: cores, memory, kernel, file system and disk of a directory."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": _pretty_name(),
        "kernel": platform.release().split("-")[0],
        **_disk(directory),
        "load_average": round(os.getloadavg()[0], 2),
    }


def program_version() -> str:
    """Return the version of the program, and the commit that is checked out where git can tell."""
    text = (ROOT / "scripts" / "tracker_backup" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"', text, flags=re.MULTILINE)
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return f"{found[1] if found else '?'} ({done.stdout.strip() or 'no git'})"


def sync(directory: Path) -> None:
    """Wait until the file system of a directory has everything on its disk."""
    subprocess.run(["sync", "--file-system", directory], check=True)


def drop_caches() -> bool:
    """Make the kernel forget what it has cached of files, and return whether it did: that needs root."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3", encoding="ascii")
    except OSError:
        return False
    return True


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^model name\s*:\s*(.+)$", text, flags=re.MULTILINE)
    return found[1] if found else platform.machine()


def _pretty_name() -> str:
    return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())


def _disk(directory: Path) -> dict[str, Any]:
    command = ["findmnt", "--noheadings", "--raw", "--output", "FSTYPE,SOURCE", "--target", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    kind, _, source = done.stdout.strip().partition(" ")
    name = Path(source).name
    block = next((place for place in Path("/sys/block").glob("*") if name.startswith(place.name)), None)
    if block is None:
        return {"file_system": kind or "?", "disk": source or "?"}
    rotational = (block / "queue" / "rotational").read_text(encoding="ascii").strip() == "1"
    gib = int((block / "size").read_text(encoding="ascii")) * 512 / 1024**3
    what = "virtual" if name.startswith(("vd", "xvd")) else "rotating" if rotational else "solid state"
    return {"file_system": kind, "disk": f"{what}, {gib:.0f} GiB"}
