"""The types of source that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from tracker_backup.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tracker_backup.sources.interface import Driver, StreamingDriver


def driver_for(source_type: str) -> Driver | StreamingDriver:
    """Return the driver of a type of source.

    Raises ConfigurationError for a type that this version does not know.
    """
    if source_type == "sqlite":
        from tracker_backup.sources.sqlite.driver import SqliteDriver

        return SqliteDriver()
    if source_type == "files":
        from tracker_backup.sources.files.driver import FilesDriver

        return FilesDriver()
    if source_type == "mysql":
        from tracker_backup.sources.mysql.driver import MysqlDriver

        return MysqlDriver()
    raise ConfigurationError(
        f"sources of type {source_type!r} are not yet supported",
        hint="this version backs up sqlite, mysql and files; a newer one made this backup, or is needed to make it",
    )


class Unfolder(Protocol):
    """Makes a directory of a raw copy."""

    def __call__(self, raw: Path, directory: Path, facts: Mapping[str, Any]) -> list[str]:
        """Fill the new directory, and return in sentences what could not be restored."""


def unfolder_for(source_type: str) -> Unfolder | None:
    """Return what makes a directory of a raw copy, for types that are restored as one, else None."""
    if source_type == "files":
        from tracker_backup.sources.files.restoring import unfold

        return unfold
    return None
