"""Databases to back up, built once and kept in a cache; every test gets a copy of its own."""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import os
import shutil
import time
from pathlib import Path

from support import tracker_standin

UNUSED_SECONDS = 14 * 24 * 3600
BUILDERS = (tracker_standin.build_database, tracker_standin._fill, tracker_standin.random_hashes)


def cache_directory() -> Path:
    """Return where built databases are kept."""
    root = os.environ.get("TRACKER_BACKUP_CACHE") or Path.home() / ".cache" / "tracker-backup"
    return Path(root, "databases")


def tracker_database(path: Path, mib: float, *, journal_mode: str = "wal", seed: int = 1) -> Path:
    """Put a tracker's database with random hashes in random order at `path`, and return that.

    What it is made from, and the code that makes it, is its name in the cache.
    """
    parts = [tracker_standin.SCHEMA, *tracker_standin.BUILD_PRAGMAS, *map(inspect.getsource, BUILDERS)]
    recipe = "\n".join([f"{mib} {journal_mode} {seed}", *parts])
    directory = cache_directory()
    directory.mkdir(parents=True, exist_ok=True)
    kept = directory / f"tracker-{mib}-mib-{journal_mode}-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}.db"
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            _remove_unused(directory)
            tracker_standin.build_database(kept, mib=mib, journal_mode=journal_mode, seed=seed)
        kept.touch()
        shutil.copyfile(kept, path)
    return path


def _remove_unused(directory: Path) -> None:
    """Remove what no test has asked for in a long time; another checkout may build by another recipe."""
    for file in directory.glob("tracker-*.db"):
        if time.time() - file.stat().st_mtime > UNUSED_SECONDS:
            file.unlink()
