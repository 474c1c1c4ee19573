"""The README's part of the report: its most telling chart and figures, between two marks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from bench.cells import Column, against, median, most, of_contenders, unavailable, verdict
from bench.charts import LATENCY, TITLES, charted, legend
from bench.results import Table
from bench.settings import GIB

BEGIN, END = "<!-- written by make bench -->", "<!-- until here -->"
_PART = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
_COLUMNS: tuple[Column, ...] = (
    ("seconds", median("seconds")),
    ("of cp's", against("seconds", "cp")),
    ("slowest 1 % of writes, ms", median("writes.p99")),
    ("failed writes", most("writes.failed")),
    ("tracker not available, s", unavailable),
    ("restores, sound", verdict),
)
_SHOWN = ("cp", "ours-copy", "ours", "ours-scheduled", "backup", "vacuum", "incumbent", "borgmatic")


def update(readme: Path, tables: Sequence[Table], directory: Path) -> bool:
    """Put the figures in, if there are any; `directory`, beside the README, is where document and charts lie.

    Raises ValueError where the README has no place for them.
    """
    if not charted(tables):
        return False
    text = readme.read_text(encoding="utf-8")
    if not _PART.search(text):
        raise ValueError(f"{readme} has no {BEGIN} with {END} behind it")
    part = f"{BEGIN}\n\n{part_of(tables, directory.name)}\n{END}"
    readme.write_text(_PART.sub(lambda _: part, text), encoding="utf-8")
    return True


def part_of(tables: Sequence[Table], directory: str) -> str:
    """Return what stands in the README: a chart, and of each case that is drawn the contenders that people know."""
    drawn = charted(tables)
    parts = []
    for name, table in drawn.items():
        machine = table.head["machine"]
        parts.append(
            f"{str(table.case)[0].upper()}{str(table.case)[1:]}; {machine['cores']} cores, "
            f"{machine['memory_bytes'] / GIB:.0f} GiB of memory, {table.head['at'][:10]}:\n"
        )
        parts.append(of_contenders(table, TITLES, _COLUMNS, _SHOWN))
        chart = Path(f"{LATENCY}{name}.svg")
        parts.append(f"![{legend(chart)}]({directory}/{chart.name})\n")
    return "\n".join(parts)
