"""The types of source that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker_backup.errors import ConfigurationError

if TYPE_CHECKING:
    from tracker_backup.sources.interface import Driver, StreamingDriver


def driver_for(source_type: str) -> Driver | StreamingDriver:
    """Return the driver of a type of source.

    Raises ConfigurationError for a type that this version does not know.
    """
    if source_type == "sqlite":
        from tracker_backup.sources.sqlite.driver import SqliteDriver

        return SqliteDriver()
    if source_type == "mysql":
        from tracker_backup.sources.mysql.driver import MysqlDriver

        return MysqlDriver()
    raise ConfigurationError(
        f"sources of type {source_type!r} are not yet supported",
        hint="this version backs up sqlite and mysql; a newer one made this backup, or is needed to make it",
    )
