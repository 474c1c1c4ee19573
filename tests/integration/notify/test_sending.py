"""A note on its way through Apprise's child process: what comes of each address, and what when it cannot be at all."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from support.receiver import SECRET, receiving
from tracker_backup.errors import CommandError
from tracker_backup.notify import sending
from tracker_backup.notify.addresses import Address
from tracker_backup.notify.rule import Note
from tracker_backup.notify.sending import send

NOTE = Note("a title", "a text\n<b>in two lines</b>", "warning")


def python(tmp_path: Path, body: str) -> str:
    """Return an interpreter of the test's own making."""
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize("interpreter", [sys.executable, "/usr/bin/python3"], ids=["pinned", "distribution"])
def test_every_version_of_apprise_is_spoken_to_alike(monkeypatch: pytest.MonkeyPatch, interpreter: str) -> None:
    monkeypatch.setattr(sys, "executable", interpreter)
    with receiving() as good, receiving(code=503) as bad:
        verdicts = send([Address(1, good.url), Address(2, bad.url), Address(5, f"no://{SECRET}")], NOTE)

    assert [str(verdict) for verdict in verdicts] == [
        "json://… (line 1): sent",
        "json://… (line 2): not sent: it was refused, or could not be reached",
        "no://… (line 5): not sent: Apprise does not know such an address",
    ]
    [said] = good.arrived
    assert (said["title"], said["message"], said["type"]) == (NOTE.title, NOTE.body, "warning")


def test_one_that_hangs_keeps_nobody_from_hearing() -> None:
    with receiving(hanging=True) as hanging, receiving() as good:
        began = time.monotonic()
        verdicts = send([Address(1, hanging.url), Address(2, good.url)], NOTE, seconds=24)

    assert [verdict.sent for verdict in verdicts] == [False, True]
    assert verdicts[0].what == "not sent: no answer within 20 s"
    assert time.monotonic() - began < 60
    assert len(good.arrived) == 1


def test_a_missing_library_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", python(tmp_path, f'exec {sys.executable} -S "$@"'))  # no site-packages

    with pytest.raises(CommandError, match="the Python library apprise is missing") as caught:
        send([Address(1, f"json://{SECRET}")], NOTE)

    assert caught.value.hint == "sudo apt-get install apprise"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("kill -9 $$", "Apprise has died"),
        (f"echo {SECRET}", "Apprise has died"),
        ("echo '[]'", "Apprise has died"),
        ("""echo '{"results": ["sent", "sent"]}'""", "something else than"),
        (f"""echo '{{"results": ["{SECRET}"]}}'""", "something else than"),
        ("""echo '{"missing": "requests"}'""", "the Python library requests is missing"),
        (f"echo {SECRET} >&2; exec sleep 60", "did not end within 1 s"),
    ],
)
def test_a_child_that_does_something_else_is_told_without_a_word_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str, expected: str
) -> None:
    monkeypatch.setattr(sys, "executable", python(tmp_path, body))

    with pytest.raises(CommandError, match=expected) as caught:
        send([Address(1, f"json://{SECRET}")], NOTE, seconds=1 if "sleep" in body else 20)

    assert SECRET not in str(caught.value)


def test_the_whole_of_it_is_half_a_minute() -> None:
    assert sending.SECONDS <= 30
