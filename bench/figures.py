"""Figures of one run from what its load logged, and figures of many runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from bench.load import Operation

STALL_SECONDS = 1.0
"""A tracker that gets no write through for longer than this is not available."""

TIMELINE_POINTS = 100


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return the value that `percent` of all are not above, None when there is none."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def summary(operations: Iterable[Operation], began: float, ended: float) -> dict[str, Any]:
    """Return count, failures and latencies in ms of the operations that were under way between two moments."""
    chosen = [each for each in operations if each.at >= began and each.at - each.milliseconds / 1000 <= ended]
    values = [each.milliseconds for each in chosen]
    return {
        "count": len(chosen),
        "failed": sum(not each.succeeded for each in chosen),
        "p50": _rounded(percentile(values, 50)),
        "p99": _rounded(percentile(values, 99)),
        "max": _rounded(max(values, default=None)),
    }


def unavailable_seconds(writes: Iterable[Operation], began: float, ended: float) -> float:
    """Return for how long in all no write came through, counting what lasted longer than a second.

    What began before the end and is still under way then counts until it is over.
    """
    moments = [each.at for each in writes if each.succeeded]
    before = max((at for at in moments if at < began), default=began)
    after = min((at for at in moments if at > ended), default=ended)
    line = [before, *sorted(at for at in moments if began <= at <= ended), after]
    gaps = (later - earlier for earlier, later in pairwise(line))
    return round(sum(gap for gap in gaps if gap > STALL_SECONDS), 3)


def timeline(operations: Iterable[Operation], began: float, first: float, last: float) -> list[list[float]]:
    """Return the worst latency of each hundredth of a span: [seconds since `began`, ms], [seconds, 0] where none was.

    A latency belongs to all of the time that it took, so that a stall is as wide as it was long.
    """
    width = (last - first) / TIMELINE_POINTS
    worst = [0.0] * TIMELINE_POINTS
    for each in operations:
        from_, to = each.at - each.milliseconds / 1000, each.at
        if to < first or from_ > last:
            continue
        for slot in range(
            max(0, int((from_ - first) / width)), min(TIMELINE_POINTS - 1, int((to - first) / width)) + 1
        ):
            worst[slot] = max(worst[slot], each.milliseconds)
    return [
        [round(first - began + (slot + 0.5) * width, 2), round(milliseconds, 2)]
        for slot, milliseconds in enumerate(worst)
    ]


def middle(values: Iterable[float | None]) -> float | None:
    """Return the median of the values that are there, None when there is none."""
    there = [value for value in values if value is not None]
    return median(there) if there else None


def ratio(value: float | None, to: float | None) -> float | None:
    """Return a value as a multiple of another, None where either is missing or the other is nothing."""
    return None if value is None or not to else value / to


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
