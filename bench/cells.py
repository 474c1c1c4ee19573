"""Tables of the report: a row for each contender, a column for each figure, in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from bench.figures import ratio
from bench.results import Table

Column = tuple[str, Callable[[Table, str], str]]


def median(figure: str, scale: float = 1) -> Callable[[Table, str], str]:
    """Return a column of medians over the rounds."""

    def cell(table: Table, name: str) -> str:
        value = table.median(name, figure)
        return "" if value is None else number(value / scale)

    return cell


def against(figure: str, to: str) -> Callable[[Table, str], str]:
    """Return a column of medians as multiples of that of the contender `to`."""

    def cell(table: Table, name: str) -> str:
        value = None if name == "none" else ratio(table.median(name, figure), table.median(to, figure))
        return "" if value is None else f"{value:.2f}"

    return cell


def latencies(table: Table, name: str) -> str:
    """Return what writes took, in milliseconds: the median, the 99th percentile, the longest."""
    values = [table.median(name, f"writes.{part}") for part in ("p50", "p99", "max")]
    return "" if None in values else " / ".join(number(value) for value in values if value is not None)


def most(figure: str, scale: float = 1) -> Callable[[Table, str], str]:
    """Return a column of the largest values among the rounds."""

    def cell(table: Table, name: str) -> str:
        value = table.most(name, figure)
        return "" if value is None else number(value / scale)

    return cell


def reads(table: Table, name: str) -> str:
    """Return the 99th percentile of reads during the backup and in the seconds after it, in milliseconds."""
    values = [table.median(name, f"{part}.p99") for part in ("reads", "reads_after")]
    return " / ".join("-" if value is None else number(value) for value in values)


def verdict(table: Table, name: str) -> str:
    """Return whether what was restored is sound, or why there is nothing to restore."""
    runs = table.of(name)
    bad = [run for run in runs if run["outcome"] != "ok"]
    if bad:
        return f"**{bad[0]['outcome']}**: {_short(bad[0]['said'])}"
    verdicts = [run["sound"] for run in runs if run.get("sound") is not None]
    if not verdicts:
        return next((str(run["checked"]) for run in runs if "checked" in run), "")
    if all(verdicts):
        return "yes"
    return f"**no**, {verdicts.count(False)} of {len(verdicts)}"


def unavailable(table: Table, name: str) -> str:
    """Return the seconds for which the tracker could not write, by whoever has seen most of it."""
    figures = ("unavailable_seconds", "outage_seconds", "reported_stall_seconds")
    found = [value for figure in figures if (value := table.median(name, figure)) is not None]
    return number(max(found, default=0.0))


def of_contenders(table: Table, titles: dict[str, str], columns: Sequence[Column], only: Collection[str] = ()) -> str:
    """Return a table of all contenders, in the order of their titles, or of those in `only`."""
    shown = [name for name in table.contenders if not only or name in only]
    names = sorted(shown, key=lambda name: list(titles).index(name) if name in titles else 0)
    rows = [[titles.get(name, name), *(cell(table, name) for _, cell in columns)] for name in names]
    return markdown(["", *(head for head, _ in columns)], rows)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def number(value: float) -> str:
    """Return a number with about three digits, and never with an exponent, which `g` would give large ones."""
    if value == round(value):
        return f"{value:.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"  # noqa: PLR2004 - digits


def _short(words: str) -> str:
    return words if len(words) < 120 else f"{words[:117]}..."  # noqa: PLR2004 - a cell of a table
