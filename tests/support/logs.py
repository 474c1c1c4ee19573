"""Read a log back, as the programs that it is written for do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_PAIR = re.compile(r'([^\s="]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))(?: |$)')
_TEXT = re.compile(
    r"(?P<time>\S+T\S+[+-]\d{4}) (?P<level>[A-Z]+) \[(?P<pid>\d+)\] (?:run=(?P<run>\S+) )?(?P<rest>.*)", re.DOTALL
)
_FACT = re.compile(r"(job|trigger|phase|source|seconds|bytes|exit|notification)=(\S+) ?")


def parse_logfmt(line: str) -> dict[str, str]:
    """Return the pairs of a logfmt line; raises ValueError for what is none, and for a key that is there twice."""
    found: dict[str, str] = {}
    place = 0
    while place < len(line):
        pair = _PAIR.match(line, place)
        if pair is None or pair[1] in found:
            raise ValueError(f"not logfmt, from {place}: {line!r}")
        found[pair[1]] = pair[3] if pair[2] is None else json.loads(f'"{pair[2]}"')
        place = pair.end()
    return found


def parse_text(line: str) -> dict[str, str]:
    """Return what stands in an entry that people read; raises ValueError for what is none."""
    entry = _TEXT.fullmatch(line)
    if entry is None:
        raise ValueError(f"not an entry: {line!r}")
    found = {name: value for name, value in entry.groupdict().items() if value is not None}
    found["level"], rest = found["level"].lower(), found.pop("rest")
    while fact := _FACT.match(rest):
        found[fact[1]], rest = fact[2], rest[fact.end() :]
    return {**found, "msg": rest}


def records(file: Path, form: str) -> list[dict[str, Any]]:
    """Return all records of a log file; in the text for people, what goes on behind a margin belongs to its entry."""
    parse = {"text": parse_text, "logfmt": parse_logfmt, "json": json.loads}[form]
    lines = file.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return [parse(line) for line in lines if form != "text" or not line.startswith("    ")]
