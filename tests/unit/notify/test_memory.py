"""What is remembered of notifications, and what becomes of it where it cannot be read or written."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.instance import Instance
from tracker_backup.notify.memory import Memory, read_memory, write_memory
from tracker_backup.notify.rule import Ended
from tracker_backup.notify.telling import problem_words, tell_of_end

BAD = Ended("alpha", "default", "daily", "2026-11-29T03:00:12Z", 1, "gone")


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    memory = Memory(["daily", "hourly"], "json://… (line 1): not sent", "2026-11-29T03:00:12Z")
    write_memory(tmp_path / "state", memory)

    assert read_memory(tmp_path / "state") == memory
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "state" / "notifications.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{", '{"bad": 5}', '{"bad": [5]}', '{"problem": "x"}', "[" * 100_000]
)
def test_what_cannot_be_read_is_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "notifications.json").write_text(text)

    assert read_memory(tmp_path) == Memory([])


def test_what_cannot_be_noted_fails_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A state directory that is none: the backup has been made."""
    instance = Instance(tmp_path)
    config = instance.configure(notifications={"urls_file": str(tmp_path / "none.urls")})
    instance.state.touch()

    tell_of_end(config, BAD)

    assert "the notification was not sent: notifications.urls_file: " in caplog.text
    assert "what became of a notification cannot be noted" in caplog.text


def test_nobody_is_warned_where_nobody_is_to_be_told(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    config = instance.configure(notifications={"urls_file": str(tmp_path / "none.urls")})
    tell_of_end(config, BAD)

    warned = problem_words(config)
    assert warned is not None
    assert "No such file" in warned
    assert "notify --test" in warned
    assert problem_words(instance.configure()) is None


def test_the_first_time_is_remembered_and_the_newest_cause(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    urls = tmp_path / "default.urls"
    config = instance.configure(notifications={"urls_file": str(urls)})
    tell_of_end(config, BAD)
    first = read_memory(instance.state)
    urls.write_text("# nothing\n")
    urls.chmod(0o600)
    tell_of_end(config, BAD)
    second = read_memory(instance.state)

    assert (first.since, first.bad) == (second.since, ["daily"])
    assert "there is no address" in str(second.problem)
