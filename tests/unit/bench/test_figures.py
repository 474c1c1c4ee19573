"""Figures of what was logged."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.figures import middle, percentile, ratio, summary, timeline, unavailable_seconds
from bench.load import Log, Operation, read_log


def writes(*moments: float, milliseconds: float = 1) -> list[Operation]:
    return [Operation(at, milliseconds, succeeded=True) for at in moments]


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (100, 100), (1, 1)])
def test_percentiles(percent: float, value: float) -> None:
    assert percentile([float(number) for number in range(100, 0, -1)], percent) == value


def test_of_nothing_there_is_no_percentile() -> None:
    assert percentile([], 99) is None
    assert summary([], 0, 10) == {"count": 0, "failed": 0, "p50": None, "p99": None, "max": None}


def test_a_summary_counts_what_was_under_way_between_two_moments() -> None:
    before, across, after = Operation(9, 10, True), Operation(21, 2000, False), Operation(22, 10, True)
    within = writes(11, 12, milliseconds=5)

    assert summary([before, *within, across, after], 10, 20) == {
        "count": 3,
        "failed": 1,
        "p50": 5,
        "p99": 2000,
        "max": 2000,
    }


def test_available_all_the_time() -> None:
    assert unavailable_seconds(writes(*(number / 10 for number in range(100))), 2, 8) == 0


def test_a_tracker_that_is_stopped_is_unavailable_until_its_first_write() -> None:
    moments = [number / 10 for number in range(20)] + [number / 10 for number in range(75, 100)]

    assert unavailable_seconds(writes(*moments), 2, 7) == pytest.approx(5.6)


def test_failed_writes_do_not_make_it_available() -> None:
    failing = [Operation(at, 5000, succeeded=False) for at in (3.0, 5.0)]

    assert unavailable_seconds([*writes(1, 1.9, 7), *failing], 1, 8) == pytest.approx(5.1)


def test_a_stall_is_as_wide_as_it_was_long() -> None:
    points = timeline([Operation(6, 4000, succeeded=True), *writes(1, 8)], 1, 0, 10)

    assert len(points) == 100
    assert points[0][0] == pytest.approx(-0.95)
    slow = [seconds for seconds, milliseconds in points if milliseconds == 4000]
    assert (min(slow), max(slow)) == (pytest.approx(1.05), pytest.approx(5.05))
    assert [milliseconds for seconds, milliseconds in points if seconds > 7.5] == [0] * 15


def test_medians_and_ratios_of_what_is_there() -> None:
    assert middle([3, None, 1, 2]) == 2
    assert middle([None]) is None
    assert ratio(3, 2) == 1.5
    assert ratio(None, 2) is None
    assert ratio(3, 0) is None


def test_a_log_is_read_as_it_was_written_and_half_a_record_is_not_read(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    for number in range(300):
        log.add(number / 2, number % 2 == 0)
    log.close()
    with (tmp_path / "log").open("ab") as file:
        file.write(b"half")

    operations = read_log(tmp_path / "log")

    assert [operation.milliseconds for operation in operations] == [number / 2 for number in range(300)]
    assert [operation.succeeded for operation in operations[:4]] == [True, False, True, False]
    assert operations[0].at <= operations[-1].at
