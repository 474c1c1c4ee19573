"""Take and unpack the files of a directory with the driver, in this process, as a run does."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tracker_backup.sources.files.driver import FilesDriver
from tracker_backup.sources.files.restoring import unfold
from tracker_backup.sources.files.selection import Facts, select
from tracker_backup.sources.interface import CopyContext, Snapshot, Source


def files_of(stack: Path, **facts: Any) -> Source:
    """Return the source for a directory."""
    return Source("files", "files", stack, scope=select(Facts(stack=str(stack), **facts)))


def context_in(
    staging: Path, progress: Callable[[int, int], None] = lambda _done, _total: None, **more: Any
) -> CopyContext:
    """Return what a driver is given."""
    staging.mkdir(mode=0o700, exist_ok=True)
    values: dict[str, Any] = {
        "deadline": time.monotonic() + 600,
        "note": lambda _text: None,
        "warn": lambda _text: None,
        "stack": staging,
        "state_directory": staging / "state",
        **more,
    }
    return CopyContext(directory=staging, progress=progress, **values)


def unpacked(snapshot: Snapshot, directory: Path) -> Path:
    """Unpack a snapshot and return where its source's directory is there."""
    unfold(snapshot.path, directory, snapshot.engine)
    return directory / str(snapshot.source.path).lstrip("/")


def check_of(snapshot: Snapshot) -> tuple[bool | None, tuple[str, ...]]:
    """Return what the driver's check says."""
    result = FilesDriver().start_check(snapshot.path, full=False, low_priority=False, facts=snapshot.engine).result()
    return result.ok, result.messages
