"""What was asked for of single tables, whatever the type of their source."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tracker_backup.errors import UsageError

_MOST_NAMED = 20


def require_tables(there: Collection[str], wanted: Sequence[str], source: str) -> None:
    """Raise UsageError for a table that a backup does not have."""
    unknown = [name for name in wanted if name not in there]
    if unknown:
        listed = sorted(there)
        more = f", and {len(listed) - _MOST_NAMED} more" if len(listed) > _MOST_NAMED else ""
        raise UsageError(
            f"the backup of {source} has no table {', '.join(unknown)}",
            hint=f"it has: {', '.join(listed[:_MOST_NAMED])}{more}",
        )
