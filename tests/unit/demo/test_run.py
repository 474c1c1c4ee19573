"""What the demo concludes from what it sees."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def demo() -> Any:
    """Return the demo's module: a program, not part of a package."""
    path = Path(__file__).resolve().parents[3] / "demo" / "run.py"
    spec = importlib.util.spec_from_file_location("demo_run", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("demo      : ok=45   changed=3    unreachable=0    failed=0    skipped=29\n", 3),
        ("\x1b[0;33mdemo\x1b[0m : \x1b[0;32mok=45  \x1b[0m \x1b[0;33mchanged=3   \x1b[0m unreachable=0\n", 3),
        ("localhost : ok=1    changed=0    unreachable=0    failed=0    skipped=0\n", 0),
        ("changed: [demo] => (item=/etc/tracker-backup)\n", 0),
    ],
)
def test_changes_are_counted_with_and_without_colours(demo: Any, line: str, changes: int) -> None:
    assert demo.changed_tasks(line) == changes


def test_commands_are_shown_as_one_would_type_them_in_the_checkout(demo: Any) -> None:
    assert demo.shown(demo.ROOT / ".demo" / "a file") == "'.demo/a file'"
    assert demo.shown("--now") == "--now"


def test_a_path_that_ansible_cannot_handle_is_refused(demo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "ROOT", Path("/home/me/my stack"))

    with pytest.raises(demo.DemoError, match="/home/me/my stack"):
        demo.prepare()
