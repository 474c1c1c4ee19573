"""docs/architecture.md names every module of the package, and no module that is not there."""

from __future__ import annotations

import re
from pathlib import Path


def named(checkout: Path) -> set[str]:
    """Return the Python files that the document names in code."""
    text = (checkout / "docs" / "architecture.md").read_text(encoding="utf-8")
    return set(re.findall(r"[\w./-]+\.py\b", text))


def modules(checkout: Path) -> set[str]:
    """Return the package's modules, as paths below it; a package's own __init__ goes without saying."""
    package = checkout / "scripts" / "tracker_backup"
    return {str(path.relative_to(package)) for path in package.rglob("*.py") if path.name != "__init__.py"}


def test_every_module_is_named(checkout: Path) -> None:
    assert modules(checkout) - named(checkout) == set()


def test_every_named_file_exists(checkout: Path) -> None:
    present = modules(checkout) | {str(path.relative_to(checkout)) for path in checkout.glob("[!.]*/**/*.py")}

    assert named(checkout) - present - {"__init__.py"} == set()
