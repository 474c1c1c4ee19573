"""Which keys an entry of `sources` has, by its type: what a schema could say only in words that nobody understands."""

from __future__ import annotations

from typing import Any

_ALL = frozenset({"name", "type", "service"})
_NEEDED = {"sqlite": frozenset({"path"}), "mysql": frozenset({"schema", "user"})}
_ALLOWED = {
    "sqlite": _ALL | {"path"},
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
