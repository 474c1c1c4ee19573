"""The schema: valid, described, and the same as what the program fills in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tracker_backup.config.load import build_config
from tracker_backup.config.model import Keep
from tracker_backup.config.schema import _LIMITS, load_schema, schema_errors

ROOT = load_schema()


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return schema if reference is None else {**ROOT["definitions"][reference.rsplit("/", 1)[-1]], **schema}


def keys(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every key that a configuration can have, however deep, with its path."""
    for name, raw in schema.get("properties", {}).items():
        value = resolved(raw)
        yield f"{path}{name}", value
        yield from keys(value, f"{path}{name}.")
        yield from keys(resolved(value.get("items", {})), f"{path}{name}[].")


KEYS = dict(keys(ROOT))


def test_it_is_draft_seven() -> None:
    jsonschema.Draft7Validator.check_schema(ROOT)

    assert ROOT["$schema"] == "http://json-schema.org/draft-07/schema#"


def test_there_are_keys() -> None:
    assert {"stack", "jobs[].keep.daily", "sources[].path", "schedule.target", "ping_url"} <= set(KEYS)


@pytest.mark.parametrize("path", KEYS)
def test_every_key_is_described(path: str) -> None:
    assert KEYS[path].get("description", "").endswith(".")


@pytest.mark.parametrize("path", KEYS)
def test_every_example_and_default_is_valid(path: str) -> None:
    # The key's own schema, with the definitions that it refers to beside it.
    validator = jsonschema.Draft7Validator({**KEYS[path], "definitions": ROOT["definitions"]})
    values = [*KEYS[path].get("examples", []), *([KEYS[path]["default"]] if "default" in KEYS[path] else [])]

    for value in values:
        assert list(validator.iter_errors(value)) == []


@pytest.mark.parametrize("path", [path for path, schema in KEYS.items() if schema.get("type") == "object"])
def test_unknown_keys_are_refused_everywhere(path: str) -> None:
    assert KEYS[path]["additionalProperties"] is False


def in_force(keep: Keep) -> dict[str, int]:
    """Return the rules that are not switched off."""
    return {rule: number for rule, number in vars(keep).items() if number}


def test_defaults_are_what_is_filled_in() -> None:
    config = build_config({"stack": "/a", "repository": "/b"}, Path("/etc/tracker-backup/default.yml"))

    by_default = build_config({"stack": "/a", "repository": "/b", "jobs": [{"name": "x"}]}, Path("/x.yml"))
    telling = build_config({"stack": "/a", "repository": "/b", "notifications": {"urls_file": "/c"}}, Path("/x.yml"))
    job = config.jobs[0]
    copy = {"name": "nas", "program": "restic", "repository": "/nas"}
    given = {"stack": "/a", "repository": "/b", "copies": [copy]}
    [copied] = build_config(given, Path("/etc/tracker-backup/default.yml")).copies
    simple = [
        key for key, schema in ROOT["properties"].items() if "default" in schema and key not in ("jobs", "copies")
    ]
    filled = {
        "jobs": [{"name": job.name, "schedule": job.schedule, "keep": in_force(job.keep)}],
        "jobs[].keep": in_force(by_default.jobs[0].keep),
        "copies": list(config.copies),
        "copies[].keep": in_force(copied.keep),
        "copies[].delete": copied.delete,
        "copies[].every": copied.every,
        "copies[].check": copied.check,
        "copies[].upload_limit_kib_per_second": copied.upload_limit_kib_per_second,
        "copies[].tolerate_hours": copied.tolerate_seconds,
        "schedule.target": config.schedule.target,
        "schedule.user": config.schedule.user,
        "schedule.command": str(config.schedule.command),
        "notifications.when": telling.notifications.when if telling.notifications else None,
        "files.enabled": config.files.enabled,
        "files.extra_paths": list(config.files.extra_paths),
        "files.exclude": list(config.files.exclude),
        **{key: getattr(config, key) for key in simple},
        "min_free": f"{config.min_free.bytes // 1024**2} MiB",
    }
    assert filled == {path: schema["default"] for path, schema in KEYS.items() if "default" in schema}


def test_defaults_that_depend_on_other_keys_are_described() -> None:
    config = build_config({"stack": "/a", "repository": "/b"}, Path("/etc/tracker-backup/main.yml"))

    for key, value in (("state_directory", config.state_directory), ("log_file", config.log_file)):
        assert f"Default: `{str(value).replace('main', 'INSTANCE')}`" in KEYS[key]["description"]
    assert str(config.staging) == "/b/.staging"


@pytest.mark.parametrize("value", ["/a\n", "/a\r", "/a\0b", "a", "", "/a\x7f"])
def test_a_path_has_no_control_characters(value: str) -> None:
    assert schema_errors({"stack": "/a", "repository": value}) != []


def keywords(schema: Any) -> Iterator[str]:
    """Yield what a schema uses to refuse values; names of keys, values and annotations are none of it."""
    if isinstance(schema, list):
        for item in schema:
            yield from keywords(item)
    if not isinstance(schema, dict):
        return
    for name, value in schema.items():
        if name in ("properties", "definitions"):
            for inner in value.values():
                yield from keywords(inner)
        elif name not in ("default", "examples", "title", "description", "$schema", "$ref", "x-expected"):
            yield name
            yield from keywords(value)


def test_every_way_of_being_wrong_has_words() -> None:
    """A keyword without an explanation would be a crash in front of a user."""
    told = {"type", "pattern", "enum", "required", "additionalProperties", "const", *_LIMITS}
    structure = {"items", "allOf", "if", "then", "else"}

    assert set(keywords(ROOT)) <= told | structure


def test_every_pattern_says_what_it_expects() -> None:
    found = [schema for schema in [*KEYS.values(), *ROOT["definitions"].values()] if "pattern" in schema]

    assert found
    assert all("x-expected" in schema for schema in found)
