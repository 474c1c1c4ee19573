"""The charts of a status page: what a job's backups took, came to, and cost the tracker, a bar for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from tracker_backup.report.markup import append, element
from tracker_backup.report.pagewords import (
    axis_bytes,
    axis_seconds,
    byte_steps,
    day,
    duration,
    second_steps,
    ticks,
)
from tracker_backup.system.space import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker_backup.report.pagemodel import Taken

_WIDTH, _HEIGHT = 360, 172
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 6, 10, 24
_SLOTS = 14
"""So much of the width has a bar at least: few backups are no broad ones."""
_COLOURS = 6
"""The style has colours for as many series."""


@dataclass(frozen=True)
class Series:
    """One colour of a chart, and its value for each backup."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Chart:
    """Bars: `stacked` series stand on each other, others before one another."""

    key: str
    title: str
    series: tuple[Series, ...]
    stacked: bool
    axis: Callable[[float], str]
    steps: Callable[[float], float]
    words: Callable[[float], str]

    def total(self, number: int) -> float:
        """Return the height of a backup's bar."""
        values = [series.values[number] for series in self.series]
        return sum(values) if self.stacked else max(values, default=0.0)


def charts(past: Sequence[Taken]) -> tuple[Chart, ...]:
    """Return the charts of a job's backups, which are from old to new and at least one."""
    names = list(dict.fromkeys(name for taken in past for name, _ in taken.phases))
    phases = tuple(Series(name, tuple(dict(taken.phases).get(name, 0.0) for taken in past)) for name in names)
    sizes = (
        Series("raw", tuple(float(taken.raw_bytes) for taken in past)),
        Series("stored", tuple(float(taken.stored_bytes) for taken in past)),
    )
    felt = (
        Series("writes waited", tuple(taken.write_stall_seconds for taken in past)),
        Series("paused", tuple(taken.pause_seconds for taken in past)),
    )
    return (
        Chart(
            "duration", "How long it took", phases, stacked=True, axis=axis_seconds, steps=second_steps, words=duration
        ),
        Chart("size", "Size", sizes, stacked=False, axis=axis_bytes, steps=byte_steps, words=format_bytes),
        Chart(
            "pause", "What the tracker felt", felt, stacked=True, axis=axis_seconds, steps=second_steps, words=duration
        ),
    )


def figure(chart: Chart, past: Sequence[Taken], name: str) -> Element:
    """Return a chart with its words: a title, what stands in it for who cannot see it, and a legend.

    `name` makes its ids the page's only ones.
    """
    newest = chart.words(chart.total(len(past) - 1))
    said = element("span", element("span", "newest ", class_="soft"), element("strong", newest))
    caption = element("figcaption", element("span", chart.title), said)
    return element("figure", caption, _drawing(chart, past, f"{name}-{chart.key}"), _legend(chart), class_="chart")


def described(chart: Chart, past: Sequence[Taken]) -> str:
    """Return what a chart shows, in words."""
    totals = [chart.total(number) for number in range(len(past))]
    most = totals.index(max(totals))
    counted = "1 backup" if len(past) == 1 else f"{len(past)} backups"
    said = f"{counted} from {past[0].started_at[:10]} to {past[-1].started_at[:10]}. Newest: {chart.words(totals[-1])}"
    parts = [f"{series.name} {chart.words(series.values[-1])}" for series in chart.series]
    said += f" ({', '.join(parts)})." if parts else "."
    said += f" Least: {chart.words(min(totals))}. Most: {chart.words(totals[most])}, on {past[most].started_at[:10]}."
    bad = sum(not taken.good for taken in past)
    return f"{said} {bad} of them {'does' if bad == 1 else 'do'} not count." if bad else said


def _drawing(chart: Chart, past: Sequence[Taken], name: str) -> Element:
    scale = ticks(max(chart.total(number) for number in range(len(past))) or 1, chart.steps)
    drawing = element(
        "svg",
        element("title", chart.title, id=f"{name}-title"),
        element("desc", described(chart, past), id=f"{name}-text"),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_labelledby=f"{name}-title {name}-text",
    )
    for value in scale:
        level = _up(value, scale[-1])
        line = element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=level, y2=level, class_="grid")
        append(drawing, [line, _label(_LEFT - 6, level + 4, chart.axis(value), "end")])
    width = (_WIDTH - _LEFT - _RIGHT) / max(len(past), _SLOTS)
    for number, taken in enumerate(past):
        drawing.append(_bar(chart, taken, number, (_LEFT + number * width, width, scale[-1])))
    append(drawing, _days(past, width))
    return drawing


def _bar(chart: Chart, taken: Taken, number: int, place: tuple[float, float, float]) -> Element:
    """Return a backup's bar at `place`: its left end, its width with the gap, and the value at the axis' end."""
    left, width, top = place
    gap = min(3.0, width * 0.2)
    said = f"{taken.id}, {taken.state}: {chart.words(chart.total(number))}"
    group = element("g", element("title", said))
    floor = 0.0
    for index, series in enumerate(chart.series):
        value = series.values[number]
        begin, end = _up(floor, top), _up(floor + value, top)
        if begin - end > 0:
            kind = f"s{index % _COLOURS}"
            box = element("rect", x=left + gap / 2, width=width - gap, y=end, height=begin - end, class_=kind)
            group.append(box)
        floor += value if chart.stacked else 0.0
    if not taken.good:
        middle, foot = left + width / 2, _up(0, top)
        points = f"{middle - 4:.1f},{foot + 8:.1f} {middle:.1f},{foot + 1:.1f} {middle + 4:.1f},{foot + 8:.1f}"
        group.append(element("polygon", points=points, class_="bad"))
    return group


def _days(past: Sequence[Taken], width: float) -> list[Element]:
    """Return the day of the first bar, and that of the last one where it has room beside it."""
    foot = _HEIGHT - 6
    found = [_label(_LEFT, foot, day(past[0].started_at), "start")]
    end = _LEFT + len(past) * width
    if end - _LEFT > 2 * 48:
        found.append(_label(end, foot, day(past[-1].started_at), "end"))
    return found


def _legend(chart: Chart) -> Element:
    items = [
        element("li", element("span", "", class_=f"swatch b{index % _COLOURS}"), series.name)
        for index, series in enumerate(chart.series)
    ]
    return element("ul", *items, class_="legend")


def _label(x: float, y: float, words: str, anchor: str) -> Element:
    return element("text", words, x=x, y=y, text_anchor=anchor)


def _up(value: float, top: float) -> float:
    """Return how far down from the upper edge a value stands."""
    room = _HEIGHT - _TOP - _BOTTOM
    return _HEIGHT - _BOTTOM - (value / top * room if top else 0.0)
