"""How a record of the log is written: for people, or for programs, as logfmt or as JSON; whose each record is one line.

What is logged may hold names of somebody else's making. None of them can begin a line, or end a value: a line break is
an escape, and so is everything else that does not print. The keys are ours alone.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tracker_backup.system.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Fact = str | int | float
    Facts = Mapping[str, Fact]

TEXT, LOGFMT, JSON = "text", "logfmt", "json"
_INDENTED = "    "
_BARE = re.compile(r"[A-Za-z0-9_.:/@+,-]+")


def file_lines(form: str, instance: str) -> logging.Formatter:
    """Return what writes the records of an instance into its log file, in one of the three forms."""
    return FileText() if form == TEXT else FactLine(instance, _WRITERS[form])


def journal_lines(form: str, instance: str) -> logging.Formatter:
    """Return what writes them for the journal, which has time and level by itself, in one of the three forms."""
    return JournalText(instance) if form == TEXT else FactLine(instance, _WRITERS[form])


class FileText(logging.Formatter):
    """For people: time, level, process, run, words; what has several lines names the run in each, behind a margin."""

    def __init__(self) -> None:
        """Say how the first line begins."""
        super().__init__("%(asctime)s %(levelname)s [%(process)d] %(message)s", "%Y-%m-%dT%H:%M:%S%z")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class's
        """Return the first lines, the run's id before the words."""
        record.message = f"{_marked(record)}{record.message}"
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's lines: nothing but the first begins at the margin."""
        mark = _marked(record)
        if not mark:
            return visible(super().format(record), indented=_INDENTED)
        first, *more = visible(super().format(record)).split("\n")
        return "\n".join([first, *(f"{_INDENTED}{mark}{line}".rstrip() for line in more)])


class JournalText(logging.Formatter):
    """For people who read the journal: the instance, the run and the words; the handler puts them on one line."""

    def __init__(self, instance: str) -> None:
        """Keep whose records they are."""
        super().__init__()
        self._instance = instance

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's words."""
        return f"{self._instance}: {_marked(record)}{super().format(record)}"


class FactLine(logging.Formatter):
    """For programs: what is known of a record by its names, the words as `msg`, on one line."""

    def __init__(self, instance: str, write: Callable[[Facts], str]) -> None:
        """Keep whose records they are, and how they are written."""
        super().__init__()
        self._instance = instance
        self._write = write

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        known: str | None = getattr(record, "words", None)
        words = record.getMessage() if known is None else known
        if record.exc_info:
            words = f"{words}\n{self.formatException(record.exc_info)}"
        run = getattr(record, "run", None)
        facts: dict[str, Fact] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "instance": self._instance,
            "pid": record.process or 0,
            **({"run": run} if run else {}),
            **getattr(record, "facts", {}),
            **({"msg": words} if words else {}),
        }
        return self._write(facts)


def plain(value: Fact) -> str:
    """Return a value as text and logfmt have it: seconds to the millisecond, everything else as it is."""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def as_logfmt(facts: Facts) -> str:
    """Return `key=value` pairs (https://brandur.org/logfmt); what is more than a word stands in quotes."""
    return " ".join(f"{name}={_quoted(plain(value))}" for name, value in facts.items())


def as_json(facts: Facts) -> str:
    """Return an object on one line; outside of strings, JSON has nothing that does not print."""
    return "".join(map(_escaped, json.dumps(facts, ensure_ascii=False)))


_WRITERS: Mapping[str, Callable[[Facts], str]] = {LOGFMT: as_logfmt, JSON: as_json}


def _quoted(text: str) -> str:
    return text if _BARE.fullmatch(text) else "".join(map(_escaped, json.dumps(text, ensure_ascii=False)))


def _escaped(character: str) -> str:
    r"""Return what does not print, a line separator or half of a surrogate pair too, as \uXXXX."""
    return character if character.isprintable() else json.dumps(character)[1:-1]


def _marked(record: logging.LogRecord) -> str:
    run = getattr(record, "run", None)
    return f"run={run} " if run else ""
