"""Which keys an entry of `sources` has, by its type: what a schema could say only in words that nobody understands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tracker_backup.config.model import MysqlSettings

_ALL = frozenset({"name", "type", "service"})
_NEEDED = {"sqlite": frozenset({"path"}), "mysql": frozenset({"schema", "user"}), "files": frozenset[str]()}
_ALLOWED = {
    "sqlite": _ALL | {"path"},
    "files": _ALL | {"path"},  # the schema says that it has neither path nor service
    "mysql": _ALL | {"schema", "user", "password_file", "host", "port", "socket", "reach"},
}


def source_errors(sources: list[dict[str, Any]]) -> list[str]:
    """Return what is missing in, and what does not belong into, each entry of `sources`."""
    return [error for index, source in enumerate(sources) for error in _errors(f"sources[{index}]", source)]


def _errors(where: str, source: dict[str, Any]) -> list[str]:
    kind = source.get("type")
    if not isinstance(kind, str) or kind not in _ALLOWED:
        return []  # the schema has told
    present = set(map(str, source))
    missing = sorted(_NEEDED[kind] - present)
    strange = sorted((present & frozenset[str]().union(*_ALLOWED.values())) - _ALLOWED[kind])
    errors = [f"{where}: missing: {', '.join(missing)}"] if missing else []
    errors += [f"{where}: {', '.join(strange)} does not belong to the type {kind}"] if strange else []
    if "socket" in present and present & {"host", "port"}:
        errors.append(f"{where}: a server is reached by its socket or by host and port, not by both")
    return errors


def mysql_settings(source: dict[str, Any]) -> MysqlSettings:
    """Return what an entry of type `mysql` says, once it was found free of errors."""
    return MysqlSettings(
        schema=source["schema"],
        user=source["user"],
        password_file=Path(source["password_file"]) if "password_file" in source else None,
        host=source.get("host"),
        port=int(source.get("port", 3306)),
        socket=Path(source["socket"]) if "socket" in source else None,
        reach=source.get("reach"),
    )
