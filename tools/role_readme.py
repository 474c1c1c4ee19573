"""Write the table of variables in the role's README from meta/argument_specs.yml."""

from __future__ import annotations

import json
import sys
from typing import Any

import yaml

from generated import ROOT, publish

ROLE = ROOT / "roles/tracker_backup"
TARGET = ROLE / "README.md"
BEGIN = "<!-- The table is made from meta/argument_specs.yml: make docs -->"
END = "<!-- End of the table -->"


def cell(text: str) -> str:
    """Return a text that can stand in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def row(name: str, option: dict[str, Any]) -> str:
    """Return the table's line for one variable; templates are shown as they are written."""
    kind = " or ".join(f"`{choice}`" for choice in option["choices"]) if "choices" in option else option["type"]
    default = option["default"]
    shown = default if isinstance(default, str) and default else json.dumps(default)
    return f"| `{name}` | {kind} | `{cell(shown)}` | {cell(option['description'])} |"


def table() -> str:
    """Return the table of all variables."""
    specification = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    options = specification["argument_specs"]["main"]["options"]
    head = ["| variable | type | default | meaning |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *(row(name, option) for name, option in options.items())])


def document() -> str:
    """Return the README with the table as it should be."""
    before, begin, rest = TARGET.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{TARGET} has lost the lines between which the table stands: {BEGIN} and {END}")
    return f"{before}{begin}\n\n{table()}\n\n{end}{after}"


if __name__ == "__main__":
    sys.exit(publish(str(__doc__), TARGET, document()))
