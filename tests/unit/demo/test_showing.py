"""What the demo concludes from what it sees."""

from __future__ import annotations

from pathlib import Path

import pytest

import showing


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("demo      : ok=45   changed=3    unreachable=0    failed=0    skipped=29\n", 3),
        ("\x1b[0;33mdemo\x1b[0m : \x1b[0;32mok=45  \x1b[0m \x1b[0;33mchanged=3   \x1b[0m unreachable=0\n", 3),
        ("localhost : ok=1    changed=0    unreachable=0    failed=0    skipped=0\n", 0),
        ("changed: [demo] => (item=/etc/tracker-backup)\n", 0),
    ],
)
def test_changes_are_counted_with_and_without_colours(line: str, changes: int) -> None:
    assert showing.changed_tasks(line) == changes


def test_commands_are_shown_as_one_would_type_them_in_the_checkout() -> None:
    assert showing.shown(showing.ROOT / ".demo" / "a file") == "'.demo/a file'"
    assert showing.shown("--now") == "--now"


def test_a_path_that_ansible_cannot_handle_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showing, "ROOT", Path("/home/me/my stack"))

    with pytest.raises(showing.DemoError, match="/home/me/my stack"):
        showing.prepare()
