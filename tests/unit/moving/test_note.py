"""What is noted of a move comes back as it was, and is private; only one moves at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker_backup.errors import LockHeldError, TrackerBackupError
from tracker_backup.moving.note import ARRIVING_NAME, PLACED, STOPPING, Arriving, Leaving, Notebook, advanced
from tracker_backup.run.deployed import LEAVING_NAME, ran_before_move


def test_notes_come_back_as_they_were(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path / "state")
    leaving = Leaving(STOPPING, ("mysql", "tracker"), {"abc": "always"}, "id", {"tracker": {"torrents": 3}})
    arriving = advanced(Arriving("id"), PLACED)

    assert (notebook.leaving(), notebook.arriving()) == (None, None)
    notebook.write(leaving)
    notebook.write(arriving)

    assert (notebook.leaving(), notebook.arriving()) == (leaving, arriving)
    assert ran_before_move(tmp_path / "state") == ("mysql", "tracker")
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "state").iterdir()} == {0o600}


def test_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path)
    notebook.write(Arriving("id"))

    notebook.forget(ARRIVING_NAME)
    notebook.forget(ARRIVING_NAME)

    assert notebook.arriving() is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"step": "left", "unknown": 1}'])
def test_a_note_that_cannot_be_read_says_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / LEAVING_NAME).write_text(text)

    with pytest.raises(TrackerBackupError, match="cannot be read") as error:
        Notebook(tmp_path).leaving()

    assert "delete the note" in str(error.value)
    assert ran_before_move(tmp_path) == ()


@pytest.mark.guarantee(2, 17)
def test_two_do_not_move_at_once(tmp_path: Path) -> None:
    with Notebook(tmp_path).claimed(), pytest.raises(LockHeldError), Notebook(tmp_path).claimed():
        pass
    with Notebook(tmp_path).claimed():
        pass
