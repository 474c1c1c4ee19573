"""Raw results: one file of JSON lines for each call of the benchmark, and what is chosen of them for the report."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import middle
from bench.settings import Case

Run = dict[str, Any]
WHOLE = "whole"
"""The kind of the line behind the last run of a case, `of` a kind of run."""


class Results:
    """Appends to one file; each line is on disk as soon as its run is over."""

    def __init__(self, directory: Path, name: str) -> None:
        """Begin a file below `directory`."""
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / f"{name}.jsonl"
        self.path.touch()

    def add(self, line: Run) -> None:
        """Append one line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def read(path: Path) -> list[Run]:
    """Return a file's lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@dataclass(frozen=True)
class Table:
    """All runs of one case, from one call of the benchmark; `case` is None for all but SQLite."""

    head: Run
    kind: str
    case: Case | None
    runs: tuple[Run, ...]

    @property
    def contenders(self) -> list[str]:
        """Return the names of those measured, in the order of their first runs."""
        return list(dict.fromkeys(run["contender"] for run in self.runs))

    def of(self, contender: str) -> list[Run]:
        """Return a contender's runs."""
        return [run for run in self.runs if run["contender"] == contender]

    def median(self, contender: str, figure: str) -> float | None:
        """Return the median over the rounds of a figure such as `seconds` or `writes.p99`; of finished runs only."""
        return middle(value_of(run, figure) for run in self.of(contender) if run["outcome"] == "ok")

    def most(self, contender: str, figure: str) -> float | None:
        """Return the largest value of a figure over the rounds."""
        return max((value for run in self.of(contender) if (value := value_of(run, figure)) is not None), default=None)


def value_of(run: Run, figure: str) -> float | None:
    """Return a figure of a run, None where it has none; `writes.p99` is one level down."""
    value: Any = run
    for part in figure.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return None if value is None else float(value)


def newest_tables(files: Iterable[Sequence[Run]]) -> list[Table]:
    """Return for each case the newest call's runs, of a call that was cut short only where no other has the case.

    `files` are from old to new.

    Ratios are only ever taken within such a table: what else a machine did meets all of its contenders.
    """
    newest: dict[tuple[str, Case | None], Table] = {}
    for head, *lines in files:
        whole = {(line["of"], _case_of(line)) for line in lines if line["kind"] == WHOLE}
        for table in _tables(head, [line for line in lines if line["kind"] != WHOLE]):
            if (key := (table.kind, table.case)) in whole or key not in newest:
                newest[key] = table
    return sorted(newest.values(), key=lambda table: (_KINDS.index(table.kind), _rank(table.case)))


_KINDS = ("sqlite", "mysql", "startup", "role")


def _tables(head: Run, runs: Sequence[Run]) -> Iterator[Table]:
    keys = dict.fromkeys((run["kind"], _case_of(run)) for run in runs)
    for kind, case in keys:
        yield Table(head, kind, case, tuple(run for run in runs if (run["kind"], _case_of(run)) == (kind, case)))


def _case_of(run: Run) -> Case | None:
    return Case(run["size"], run["order"], run["mode"], run["rate"]) if "size" in run else None


def _rank(case: Case | None) -> tuple[object, ...]:
    """Sort small before large, random before sorted, WAL before rollback, 100 writes before others."""
    if case is None:
        return ()
    size = int(case.size[:-1]) * (1024 if case.size[-1] == "G" else 1)
    rates = {"100": 0, "0": 1, "max": 2}
    return size, case.order, {"wal": 0}.get(case.mode, 1), rates.get(case.rate, 3), case.rate
