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
    """Say what is wrong with a value; the library's own messages show whole documents, secrets and all."""
    if error.validator == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        unknown = sorted(set(error.instance) - set(known), key=str)
        return f"unknown key {', '.join(map(_shown, unknown))}; known are {', '.join(known)}"
    if error.validator == "required":
        return f"missing: {', '.join(key for key in error.validator_value if key not in error.instance)}"
    copy = list(error.absolute_path)[::2] == ["copies", "repository"]
    secret = copy or _SECRET & set(error.absolute_path)
    value = "the value" if secret else _shown(error.instance)
    return f"{value} {_complaint(error)}"


def _complaint(error: Any) -> str:
    limit = error.validator_value
    if error.validator == "type":
        return f"is not {_TYPES[limit]}"
    if error.validator == "pattern":
        return f"is not {error.schema['x-expected']}"
    if error.validator == "const":
        return f"is not {limit}"
    if error.validator == "not" and not limit:
        return "does not belong here"
    if error.validator == "enum":
        return f"is none of {', '.join(limit)}"
    return _LIMITS[error.validator].format(limit)


_TYPES = {
    "boolean": "true or false",
    "object": "a mapping of keys to values",
    "array": "a list",
    "string": "text; quotes make it text",
    "integer": "a whole number",
    "number": "a number",
}
_LIMITS = {
    "minimum": "is less than {}",
    "maximum": "is more than {}",
    "exclusiveMinimum": "is not more than {}",
    "minItems": "needs an item at least",
    "minLength": "is empty",
    "minProperties": "needs a key at least",
    "uniqueItems": "holds something twice",
    "not": "is taken by the program itself",
}
_LONGEST_SHOWN = 80
_SECRET = frozenset({"ping_url", "notifications"})
"""Keys at which an address may stand, in its place or by mistake."""


def _shown(value: object) -> str:
    if isinstance(value, list | dict | set | tuple):
        return "the list" if isinstance(value, list) else "the mapping"
    # Wherever it was put by mistake, an address may be the secret one.
    if isinstance(value, str | bytes) and ("://" in str(value) or len(value) > _LONGEST_SHOWN):
        return "the value"
    if isinstance(value, int) and value.bit_length() > _LONGEST_SHOWN:
        return "the value"
    return "nothing" if value is None else repr(value)
