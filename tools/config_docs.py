"""Write docs/configuration.md from the JSON Schema that the program checks its configuration with."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from generated import ROOT, publish

SCHEMA = ROOT / "scripts/tracker_backup/config/schema.json"
TARGET = ROOT / "docs/configuration.md"

HEAD = """\
<!-- tools/config_docs.py writes this from scripts/tracker_backup/config/schema.json: `make docs`. -->

# Configuration

An instance is configured by one YAML file, `/etc/tracker-backup/INSTANCE.yml`; the file's name is the
instance's name. The role writes it from its variables, which mostly are called `tracker_backup_` and as the key;
what was changed in the file by hand is gone after the next play. Written without the role, check it before the next
run does:

    tracker-backup --config FILE config check

All mistakes are reported at once, each with its path in the file.
{description}

The least that is needed:

```yaml
{least}
```

Everything, with an example or the default of each key:

```yaml
{everything}
```
"""

TAIL = """
The program looks for configurations in `/etc/tracker-backup`, or in the directory that the environment
variable `TRACKER_BACKUP_CONFIG_DIRECTORY` names. With one file there, no command needs `--instance`.

`tracker-backup config schema` prints the schema itself, for editors that understand JSON Schema.
"""

Schema = dict[str, Any]


def merged(schema: Schema, root: Schema) -> Schema:
    """Return a property with what it refers to filled in; its own keys go first."""
    for part in (schema, *schema.get("allOf", ())):
        if "$ref" in part:
            name = part["$ref"].rsplit("/", 1)[-1]
            return {"refers_to": name, **merged(root["definitions"][name], root), **schema}
    return schema


def code(value: object) -> str:
    """Return a value as YAML would have it, marked as code."""
    return f"`{json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value}`"


def limits(schema: Schema) -> str:
    """Return the range of a number in words, or nothing."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f", at least {low}"
    if "exclusiveMinimum" in schema:
        return f", more than {schema['exclusiveMinimum']}"
    return ""


def kind(schema: Schema, path: str, root: Schema) -> str:
    """Return in words what a key takes; an object or a list of objects links to its own section."""
    if "enum" in schema:
        return " or ".join(code(value) for value in schema["enum"])
    if schema.get("type") == "array":
        items = merged(schema["items"], root)
        inner = f"[{path}[]](#{anchor(path + '[]')})" if "properties" in items else kind(items, path, root)
        return f"list of {inner}"
    if "properties" in schema:
        return f"[{path}](#{anchor(path)})"
    if schema.get("refers_to") == "absolute_path":
        return "absolute path"
    return {"string": "text", "integer": "whole number"}.get(schema["type"], str(schema["type"])) + limits(schema)


def anchor(title: str) -> str:
    """Return the link target that Markdown viewers give to a heading."""
    return "".join(character for character in title.lower() if character.isalnum() or character in "-_")


def rows(schema: Schema, path: str, root: Schema) -> Iterator[str]:
    """Yield the table of an object's keys."""
    yield "| key | takes | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for name, raw in schema["properties"].items():
        value = merged(raw, root)
        required = name in schema.get("required", ())
        default = "**required**" if required else code(value["default"]) if "default" in value else ""
        takes = kind(value, f"{path}.{name}".lstrip("."), root)
        yield f"| `{name}` | {takes} | {default} | {value.get('description', '')} |".replace("  ", " ")


def sections(schema: Schema, path: str, root: Schema) -> Iterator[str]:
    """Yield the sections of an object and of all objects inside it, outermost first."""
    yield f"\n## {path or 'Keys'}\n"
    yield from rows(schema, path, root)
    for name, raw in schema["properties"].items():
        value, inner = merged(raw, root), f"{path}.{name}".lstrip(".")
        if value.get("type") == "array":
            value, inner = merged(value["items"], root), f"{inner}[]"
        if "properties" in value:
            yield from sections(value, inner, root)


def example(schema: Schema, root: Schema) -> Any:
    """Return an example of what a schema takes: its own example, its default, or one put together."""
    schema = merged(schema, root)
    if "examples" in schema:
        return schema["examples"][0]
    if "default" in schema:
        return schema["default"]
    if "properties" in schema:
        return {name: example(value, root) for name, value in schema["properties"].items()}
    if schema.get("type") == "array":
        return [example(schema["items"], root)]
    return schema["enum"][0]


def document() -> str:
    """Return the text of docs/configuration.md."""
    import yaml

    root = json.loads(SCHEMA.read_text(encoding="utf-8"))
    complete = {name: example(value, root) for name, value in root["properties"].items()}
    least = {name: complete[name] for name in root["required"]}
    dumped = (yaml.safe_dump(part, sort_keys=False, width=100).rstrip() for part in (least, complete))
    head = HEAD.format(description=root["description"], least=next(dumped), everything=next(dumped))
    return head + "\n".join(sections(root, "", root)) + "\n" + TAIL


if __name__ == "__main__":
    sys.exit(publish(str(__doc__), TARGET, document()))
