"""Each outside thing has one place in the package; functions and modules stay small enough to read."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent.parent / "scripts" / "tracker_backup"
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the names of the modules that a file imports, wherever in it the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield node.module


@cache
def parsed(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


def users(library: str) -> set[str]:
    """Return the modules of the package that import a library, as paths below the package."""
    return {
        str(module.relative_to(PACKAGE))
        for module in MODULES
        if any(f"{name}.".startswith(f"{library}.") for name in imported(parsed(module)))
    }


def functions(module: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield all functions of a module, methods and inner ones too."""
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return a function's length in lines, its signature and docstring included."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


@pytest.mark.parametrize(
    ("library", "place"),
    [
        ("sh", "system/process.py"),
        ("subprocess", ("system/", "containers/freezer.py", "placement/outside.py")),  # the latter are programs
        ("crontab", "schedule/"),
        ("croniter", "schedule/"),
        ("jsonschema", "config/"),
        ("rich", "report/"),
        ("prometheus_client", "health/"),
        ("urllib.request", "health/"),
        ("apprise", "notify/apprise_child.py"),  # a program of its own
    ],
)
def test_a_library_is_used_in_its_place_only(library: str, place: str | tuple[str, ...]) -> None:
    strangers = {module for module in users(library) if not module.startswith(place)}

    assert strangers == set()


@pytest.mark.parametrize("library", ["sh", "subprocess", "crontab", "apprise"])
def test_a_library_with_a_place_is_used_there(library: str) -> None:
    """Otherwise the test above would pass on a package that renamed its imports."""
    assert users(library)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_a_module_is_short(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 300
    assert [function.name for function in functions(module) if length(function) > 60] == []


def test_the_usual_function_is_short() -> None:
    lengths = [length(function) for module in MODULES for function in functions(module)]

    assert statistics.median(lengths) <= 15
