"""No text reaches a shell: where one is used at all its text is fixed, and values are its arguments."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.documents import ROOT

pytestmark = pytest.mark.guarantee(14)

PACKAGE = ROOT / "scripts" / "tracker_backup"
PROGRAMS = sorted([*PACKAGE.rglob("*.py"), *ROOT.glob("roles/*/files/*.py"), *ROOT.glob("playbooks/files/*.py")])
SHELLS = {"sh", "bash", "dash", "/bin/sh", "/bin/bash", "/usr/bin/sh", "/usr/bin/bash"}
WHERE_A_SHELL_IS_NEEDED = {
    "placement/outside.py",  # finds a run in its container, by what it was started with, and ends it
    "sources/mysql/clients.py",  # looks in a container for clients and a socket, in one go
    "sources/mysql/ways.py",  # says the client's process number before it becomes the client; kills it by that number
    "sources/mysql/trial.py",  # sets up a throw-away server, in a container or with the same text on the host
}
CALLS_THAT_HAVE_A_SHELL = {"system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell"}


def module(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def words(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the words of a command line as they stand side by side in a list, a tuple, or a sum of such."""
    if isinstance(node, ast.List | ast.Tuple):
        yield from node.elts


def shell_texts(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield what stands behind `-c` in every list that has a shell in it, or that goes on where one ended with it."""
    for node in ast.walk(tree):
        parts = list(words(node)) if isinstance(node, ast.expr) else []
        spelled = [part.value if isinstance(part, ast.Constant) else None for part in parts]
        for index, word in enumerate(spelled):
            if word in SHELLS and "-c" in spelled[index:]:
                after = spelled.index("-c", index) + 1
                yield parts[after] if after < len(parts) else ast.Constant(None)


def constants(tree: ast.Module) -> dict[str, ast.expr]:
    """Return what is assigned to names at the top of a module, and the constants that it takes from others."""
    imported = [alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    return {name: ast.Constant(name) for name in imported if name.isupper()} | {
        name.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        for name in (target.elts if isinstance(target, ast.Tuple) else [target])
        if isinstance(name, ast.Name)
    }


def is_fixed(node: ast.expr, known: dict[str, ast.expr]) -> bool:
    """Tell whether an expression holds nothing but what is written in the module itself."""
    names = [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
    calls = [part for part in ast.walk(node) if isinstance(part, ast.Call)]
    joins = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "join"]
    return len(joins) == len(calls) and all(name in known and name.isupper() for name in names)


def test_nothing_is_run_by_a_shell(tally: Callable[[str, int], None]) -> None:
    found = []
    for path in PROGRAMS:
        for node in ast.walk(module(path)):
            if not isinstance(node, ast.Call):
                continue
            named = isinstance(node.func, ast.Attribute) and node.func.attr in CALLS_THAT_HAVE_A_SHELL
            if named or any(keyword.arg == "shell" for keyword in node.keywords):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")

    assert found == []
    tally("inputs tried", len(PROGRAMS))


def test_a_shell_gets_fixed_text_in_the_places_that_need_one() -> None:
    found: dict[str, int] = {}
    for path in PROGRAMS:
        tree = module(path)
        known = constants(tree)
        for text in shell_texts(tree):
            place = str(path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT))
            found[place] = found.get(place, 0) + 1
            if isinstance(text, ast.Constant) and text.value is None:
                continue  # the list ends with -c: what follows is looked at below
            assert is_fixed(text, known), f"{place}:{text.lineno}"

    assert set(found) == WHERE_A_SHELL_IS_NEEDED


def test_every_text_for_a_shell_is_a_constant_without_a_value_in_it() -> None:
    """The constants themselves: of strings and of each other, so that no name, path or password can be in them."""
    for place in WHERE_A_SHELL_IS_NEEDED:
        tree = module(PACKAGE / place)
        known = constants(tree)
        texts = {
            name: value for name, value in known.items() if "exec " in ast.unparse(value) or "$" in ast.unparse(value)
        }
        assert texts, place
        assert [name for name, value in texts.items() if not is_fixed(value, known)] == [], place


def test_the_rules_above_find_what_they_forbid() -> None:
    bad = ast.parse('def f(name):\n    return [docker(), "sh", "-c", f"echo {name}"]')
    good = ast.parse('_TEXT = "exec $1"\ndef f(name):\n    return ["sh", "-c", _TEXT, "sh", name]')

    assert [is_fixed(text, constants(bad)) for text in shell_texts(bad)] == [False]
    assert [is_fixed(text, constants(good)) for text in shell_texts(good)] == [True]
