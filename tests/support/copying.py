"""Take a copy with the SQLite driver, in this process, as a run does."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tracker_backup.sources.interface import CheckResult, CopyContext, Snapshot, Source
from tracker_backup.sources.sqlite.driver import SqliteDriver

_number = itertools.count()


def copy_of(
    path: Path, into: Path, progress: Callable[[int, int], None] = lambda _done, _total: None, **context: Any
) -> Snapshot:
    """Copy a database into a new directory below `into`."""
    directory = into / f"staging-{next(_number)}"
    directory.mkdir(mode=0o700)
    context.setdefault("deadline", time.monotonic() + 600)
    context.setdefault("stack", into)
    context.setdefault("state_directory", into / "state")
    context.setdefault("note", lambda _text: None)
    context.setdefault("warn", lambda _text: None)
    mount, service = context.pop("mount", "directory"), context.pop("service", None)
    source = Source("tracker", "sqlite", path, mount=mount, service=service)
    return SqliteDriver().take(source, CopyContext(directory=directory, progress=progress, **context))


def verdict_on(path: Path, *, full: bool = True) -> CheckResult:
    """Run the driver's check."""
    return SqliteDriver().start_check(path, full=full, low_priority=False).result()
