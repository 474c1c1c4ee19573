"""The JSON Schema, the single source of what a configuration may say."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any


def load_schema() -> dict[str, Any]:
    """Return the schema (JSON Schema draft 7, which every supported host's library knows)."""
    text = resources.files("tracker_backup.config").joinpath("schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def schema_errors(document: object) -> list[str]:
    """Return every violation of the schema, each with its path (`jobs[0].keep.last: …`), in the order of the paths."""
    import jsonschema  # half of a short command's start-up, so only where a document is checked

    validator = jsonschema.Draft7Validator(load_schema())
    errors = sorted(validator.iter_errors(document), key=lambda error: [str(part) for part in error.absolute_path])
    return [f"{render_path(error.absolute_path)}: {_explain(error)}" for error in errors]


def render_path(parts: Any) -> str:
    """Return a path into the document as a person writes it: `jobs[0].keep.last`."""
    rendered = ""
    for part in parts:
        rendered += f"[{part}]" if isinstance(part, int) else f".{part}"
    return rendered.lstrip(".") or "the whole file"


def _explain(error: Any) -> str:
    shown = "the value" if "ping_url" in error.absolute_path else repr(error.instance)
    pattern = str(error.validator_value) if error.validator == "pattern" else ""
    if error.validator == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        unknown = sorted(set(error.instance) - set(known), key=str)
        return f"unknown key {', '.join(map(repr, unknown))}; known are {', '.join(known)}"
    if error.validator == "not":
        return f"{shown} is taken by the program itself"
    if pattern.startswith("^https"):
        return "is not an http or https address"
    if pattern.startswith("^/["):
        return f"{shown} is not an absolute path without control characters"
    if pattern == "^[a-z0-9][a-z0-9-]{0,31}$":
        return f"{shown} is not a name: small letters, digits and hyphens, not first, at most 32"
    return str(error.message)
