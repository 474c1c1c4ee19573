"""What the configuration and earlier runs say about copying a source, put together for its driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker_backup.sources.interface import CopyContext

if TYPE_CHECKING:
    from pathlib import Path

    from tracker_backup.config.model import Config
    from tracker_backup.report.reporter import Reporter
    from tracker_backup.run.history import History
    from tracker_backup.sources.interface import Source


def copy_context(
    config: Config,
    history: History,
    source: Source,
    directory: Path,
    reporter: Reporter,
    *,
    deadline: float,
    full_check: bool = False,
) -> CopyContext:
    """Return the context for copying `source` into the private `directory`; `deadline` is of the monotonic clock."""
    return CopyContext(
        directory=directory,
        deadline=deadline,
        progress=reporter.progress,
        note=reporter.note,
        warn=reporter.warn,
        stack=config.stack,
        state_directory=config.state_directory,
        rate_limit_bytes_per_second=config.rate_limit_mib_per_second * 1024**2,
        max_write_stall_seconds=config.max_write_stall_seconds,
        max_pause_seconds=config.max_pause_seconds,
        when_busy=config.sqlite_when_busy,
        switch_to_wal=config.sqlite_journal_mode == "wal",
        last_rate=history.rate(source.name),
        last_clone_seconds=history.clone_seconds(source.name),
        max_silence_seconds=config.mysql_max_wait_seconds,
        full_check=full_check,
    )
