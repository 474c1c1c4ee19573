"""What is told while a run works: lines, bars, log records, the phase in the lock."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator

import pytest
from rich.console import Console

from tracker_backup.report import terminal
from tracker_backup.report.logged import LoggedReporter
from tracker_backup.report.plain import PlainReporter
from tracker_backup.report.reporter import Reporter, SilentReporter
from tracker_backup.report.terminal import TerminalReporter
from tracker_backup.system.logs import LOGGER


def a_run(reporter: Reporter) -> None:
    """Tell what a run tells."""
    reporter.phase("prepare")
    reporter.note("a note with [bold]brackets[/bold]")
    reporter.phase("copy", "tracker")
    reporter.progress(0, 2048)
    reporter.progress(2048, 2048)
    reporter.warn("a warning")
    reporter.phase("publish")


def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = PlainReporter()
    a_run(reporter)
    reporter.close()
    reporter.close()

    told = capsys.readouterr()
    assert told.out == ""
    assert [line.rsplit(" ", 2)[0] for line in told.err.splitlines()] == [
        "note: a note with", "prepare:", "warning:", "copy tracker: 2.0 KiB in", "publish:"
    ] or told.err.splitlines()[3].startswith("copy tracker: 2.0 KiB in ")  # fmt: skip
    assert "a note with [bold]brackets[/bold]" in told.err


def test_lines_that_nobody_reads_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Closed())

    a_run(PlainReporter())


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    a_run(SilentReporter())

    assert capsys.readouterr() == ("", "")


def test_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = io.StringIO()
    monkeypatch.setattr(terminal, "Console", lambda **_: Console(file=drawn, force_terminal=True, width=120))
    reporter = TerminalReporter()
    a_run(reporter)
    reporter.close()

    text = drawn.getvalue()
    for part in ("prepare", "copy tracker", "publish", "2.0", "KiB", "a note with [bold]brackets[/bold]", "a warning"):
        assert part in text


def test_a_progress_before_any_phase_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "Console", lambda **_: Console(file=io.StringIO(), force_terminal=True))
    reporter = TerminalReporter()
    reporter.progress(1, 2)
    reporter.close()


class TestLogged:
    """The log has a line for each phase, and everything that was said."""

    @pytest.fixture
    def records(self) -> Iterator[list[tuple[int, str]]]:
        found: list[tuple[int, str]] = []

        class Handler(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                found.append((record.levelno, record.getMessage()))

        handler = Handler()
        level = LOGGER.level
        LOGGER.addHandler(handler)
        LOGGER.setLevel(logging.INFO)
        yield found
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)

    def test_phases_notes_and_warnings(self, records: list[tuple[int, str]]) -> None:
        phases: list[str] = []
        reporter = LoggedReporter(SilentReporter(), on_phase=phases.append)
        a_run(reporter)
        reporter.phase("read back", "tracker")
        reporter.close()
        reporter.close()

        assert phases == ["prepare", "copy tracker", "publish", "read back tracker"]
        shortened = [(level, text.partition(" seconds=")[0]) for level, text in records]
        assert shortened == [
            (logging.INFO, "a note with [bold]brackets[/bold]"),
            (logging.INFO, "phase=prepare"),
            (logging.WARNING, "a warning"),
            (logging.INFO, "phase=copy source=tracker"),
            (logging.INFO, "phase=publish"),
            (logging.INFO, "phase=read-back source=tracker"),
        ]
        assert records[3][1].endswith(" bytes=2048")
