"""The two charts: what a writer felt while each contender copied, and how long each took."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from bench.figures import STALL_SECONDS
from bench.results import Run, Table
from bench.settings import PRODUCTION_SIZE, bytes_of
from bench.sqlite import CONTENDERS
from bench.svg import Drawing

LATENCY, TIME = "benchmarks-latency", "benchmarks-time"
_LEGENDS = {
    LATENCY: "The slowest write at each moment while each contender copies",
    TIME: "Seconds that each contender took",
}
WIDTH = 820
_LEFT, _RIGHT, _TOP, _ROW, _GAP = 236, 24, 62, 50, 14
_FLOOR_MS, _CEILING_MS = 0.5, 10_000
_BAR = 26
TITLES = {contender.name: contender.title for contender in CONTENDERS}


def charted(tables: Iterable[Table]) -> dict[str, Table]:
    """Return the tables to draw and what their files are called by: with writes, the one with most contenders.

    Of several such it is the largest; and if that is not of production size, the largest of that as well.
    """
    found = [table for table in tables if table.kind == "sqlite" and table.case is not None and table.case.rate != "0"]
    production = [table for table in found if table.case and table.case.size == PRODUCTION_SIZE]
    drawn = {"": max(found, key=_rank)} if found else {}
    if production and drawn[""] not in production:
        drawn[f"-{PRODUCTION_SIZE}"] = max(production, key=_rank)
    return drawn


def _rank(table: Table) -> tuple[int, int]:
    return len(table.contenders), bytes_of(table.case.size) if table.case else 0


def draw(table: Table, directory: Path, name: str) -> list[Path]:
    """Write both charts of a case, `name` in the names of their files, and return their paths."""
    drawn = {LATENCY: latency_chart(table), TIME: time_chart(table)}
    paths = [directory / f"{kind}{name}.svg" for kind in drawn]
    for path, drawing in zip(paths, drawn.values(), strict=True):
        drawing.write(path)
    return paths


def legend(chart: Path) -> str:
    """Return what a chart shows, for who cannot see it."""
    return _LEGENDS[LATENCY if chart.name.startswith(LATENCY) else TIME]


def latency_chart(table: Table) -> Drawing:
    """Return a chart with a row for each contender: its slowest write at each moment, before, during and after."""
    runs = [(name, _middle_run(table.of(name))) for name in TITLES if name in table.contenders]
    first = min(run["timeline"][0][0] for _, run in runs)
    last = max(run["timeline"][-1][0] for _, run in runs)
    drawing = Drawing(WIDTH, _TOP + len(runs) * (_ROW + _GAP) + 34, "Latency of writes while each contender copies")
    drawing.text(16, 24, "A tracker's slowest write at each moment, while it is backed up", size=15)
    drawing.text(16, 42, f"{table.case}. Grey: the backup is under way. Red: no write came through.", kind="soft")

    def across(seconds: float) -> float:
        return float(_LEFT + (seconds - first) / (last - first) * (WIDTH - _LEFT - _RIGHT))

    bottom = _TOP + len(runs) * (_ROW + _GAP) - _GAP
    for number, (name, run) in enumerate(runs):
        _latency_row(drawing, _TOP + number * (_ROW + _GAP), name, run, across)
    for seconds in _ticks(first, last):
        drawing.line(across(seconds), bottom, across(seconds), bottom + 4)
        drawing.text(across(seconds), bottom + 18, f"{seconds:g} s", kind="soft", size=11, at="middle")
    return drawing


def time_chart(table: Table) -> Drawing:
    """Return a chart of how long each contender took, and for how much of that the tracker was not available."""
    shown = [(name, run) for name in table.contenders if name != "none" for run in [_middle_run(table.of(name))]]
    shown.sort(key=lambda each: (each[1]["outcome"] != "ok", each[1]["seconds"]))
    most = max(run["seconds"] for _, run in shown)
    drawing = Drawing(WIDTH, _TOP + len(shown) * (_BAR + 8) + 20, "Seconds that each contender took")
    drawing.text(16, 24, "Seconds until the backup is on disk", size=15)
    drawing.text(16, 42, f"{table.case}. Red: the tracker is not available.", kind="soft")
    width = WIDTH - _LEFT - _RIGHT - 200
    for number, (name, run) in enumerate(shown):
        top = _TOP + number * (_BAR + 8)
        kind = "ours" if name.startswith("ours") else "other"
        drawing.text(_LEFT - 10, top + _BAR * 0.68, TITLES.get(name, name), at="end")
        drawing.box(_LEFT, top, run["seconds"] / most * width, _BAR, kind)
        stopped = _stopped_seconds(run)
        if stopped:
            drawing.box(_LEFT, top + _BAR - 8, min(1, stopped / most) * width, 8, "stop", f"{stopped:.1f} s")
        drawing.text(_LEFT + run["seconds"] / most * width + 8, top + _BAR * 0.68, _said(run), kind="soft")
    return drawing


def _latency_row(drawing: Drawing, top: float, name: str, run: Run, across: Callable[[float], float]) -> None:
    floor = top + _ROW

    def up(milliseconds: float) -> float:
        share = math.log(max(milliseconds, _FLOOR_MS) / _FLOOR_MS) / math.log(_CEILING_MS / _FLOOR_MS)
        return floor - min(1.0, share) * _ROW

    drawing.box(across(0), top, across(run["seconds"]) - across(0), _ROW, "span" if name != "none" else "page")
    for milliseconds, words in ((1, ""), (10, "10 ms"), (100, ""), (1000, "1 s")):
        drawing.line(_LEFT, up(milliseconds), WIDTH - _RIGHT, up(milliseconds))
        drawing.text(_LEFT - 6, up(milliseconds) + 3, words, kind="soft", size=9, at="end")
    drawing.text(16, top + 18, TITLES.get(name, name))
    drawing.text(16, top + 34, _felt(run), kind="soft", size=11)
    points = run["timeline"]
    kind = "ours" if name.startswith("ours") else "other"
    width = points[1][0] - points[0][0]
    for part, stopped in _parts(points):
        begin, end = across(part[0][0] - width / 2), across(part[-1][0] + width / 2)
        if stopped:
            drawing.box(begin, top, end - begin, _ROW, "stop", f"{part[-1][0] - part[0][0] + width:.1f} s")
        else:
            inner = [(across(seconds), up(milliseconds)) for seconds, milliseconds in part]
            drawing.area([(begin, inner[0][1]), *inner, (end, inner[-1][1])], floor, kind)


def _parts(points: Sequence[Sequence[float]]) -> Iterator[tuple[Sequence[Sequence[float]], bool]]:
    """Yield stretches in which writes came through, and those longer than a second in which none did."""
    width = points[1][0] - points[0][0]
    begin = 0
    for end in range(1, len(points) + 1):
        if end == len(points) or _stuck(points[end]) != _stuck(points[begin]):
            part = points[begin:end]
            yield part, _stuck(part[0]) and len(part) * width >= STALL_SECONDS
            begin = end


def _stuck(point: Sequence[float]) -> bool:
    """Return whether no write ended at a moment, or only such as took very long."""
    return point[1] == 0 or point[1] >= STALL_SECONDS * 1000


def _middle_run(runs: Sequence[Run]) -> Run:
    """Return the run of median length."""
    return sorted(runs, key=lambda run: float(run["seconds"]))[(len(runs) - 1) // 2]


def _stopped_seconds(run: Run) -> float:
    return float(max(run.get("unavailable_seconds") or 0, run.get("outage_seconds") or 0))


def _felt(run: Run) -> str:
    """Return the worst that the tracker felt."""
    if stopped := _stopped_seconds(run):
        return f"not available for {stopped:.1f} s"
    return "" if run["writes"]["max"] is None else f"worst {_milliseconds(run['writes']['max'])}"


def _said(run: Run) -> str:
    words = f"{run['seconds']:.1f} s"
    if run["outcome"] == "too long":
        return f"given up: {run['said']}"
    if run["outcome"] == "failed":
        return f"{words}, failed"
    return words if run.get("sound") is not False else f"{words}, the copy is damaged"


def _milliseconds(value: float) -> str:
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.0f} ms"  # noqa: PLR2004 - a second


def _ticks(first: float, last: float) -> list[float]:
    """Return round numbers of seconds between two moments, some five to ten of them."""
    step = 10 ** math.floor(math.log10(max(last - first, 0.1)))
    step = next(each for each in (step / 10, step / 5, step / 2, step, step * 2) if (last - first) / each <= 10)  # noqa: PLR2004
    return [round(number * step, 6) for number in range(math.ceil(first / step), math.floor(last / step) + 1)]
