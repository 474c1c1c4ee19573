"""A sudden drop in size: found, not taken for the usual size, and forgotten once it is accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.instance import a_manifest, an_artifact
from tracker_backup.repository.manifest import Artifact, Manifest, format_time
from tracker_backup.run.sizes import compare_size, drop_words

FIRST = datetime(2026, 1, 1, 3, tzinfo=UTC)


def night(
    number: int, raw_bytes: int, earlier: Sequence[Manifest] = (), job: str = "daily", **artifact: object
) -> Manifest:
    """Return what the run of a night publishes whose database has that size."""
    taken = compare_size(an_artifact(raw_bytes=raw_bytes, **artifact), earlier)
    return a_manifest(
        format_time(FIRST + timedelta(days=number)), job, artifacts=(taken,), sequence=number + 1
    )  # fmt: skip


def nights(*sizes: int) -> list[Manifest]:
    """Return what nights of these sizes publish, one after the other."""
    history: list[Manifest] = []
    for number, size in enumerate(sizes):
        history.append(night(number, size, history))
    return history


def drops(history: Sequence[Manifest]) -> list[bool]:
    return [artifact.size_drop for manifest in history for artifact in manifest.artifacts]


def only(manifest: Manifest) -> Artifact:
    return manifest.artifacts[0]


@pytest.mark.parametrize(
    ("sizes", "dropped"),
    [
        ([1000], False),
        ([1000, 500], False),
        ([1000, 499], True),
        ([1000, 0], True),
        ([0, 0], False),
        ([1000, 5000], False),
        ([100, 100, 1000, 1000, 1000, 499], True),
        ([1000, 1000, 100, 100, 1000, 499], True),
        ([9000, 9000, 9000, 1000, 1000, 1000, 1000, 1000, 499], True),
        ([9000, 8000, 7000, 6000, 5000, 3499], True),
        ([9000, 8000, 7000, 6000, 5000, 3500], False),
        ([10, 10000, 10, 10000, 10, 10000], False),
        ([1000, 2000, 749], True),
        ([1000, 2000, 750], False),
    ],
)
def test_less_than_half_the_median_of_the_last_five_is_a_drop(sizes: list[int], dropped: bool) -> None:
    assert drops(nights(*sizes))[-1] is dropped


def test_the_artifact_says_what_is_usual() -> None:
    history = nights(1000, 1200, 1100, 300)

    assert [only(each).usual_raw_bytes for each in history] == [None, 1000, 1100, 1100]
    assert drop_words(only(history[-1])) == "tracker has only 300 B, less than half of the usual 1.1 KiB"


def test_only_the_last_five_count() -> None:
    history = nights(10, 20, 30, 40, 50, 60, 70, 80)

    assert [only(each).usual_raw_bytes for each in history] == [None, 10, 15, 20, 25, 30, 40, 50]


def test_nights_after_a_drop_do_not_make_it_usual() -> None:
    """An emptied database is noticed for as long as it lasts, not for three nights."""
    history = nights(*[1000] * 5, *[100] * 30)

    assert drops(history) == [False] * 5 + [True] * 30
    assert only(history[-1]).usual_raw_bytes == 1000


def test_a_drop_that_is_over_is_over() -> None:
    assert drops(nights(1000, 1000, 100, 1000, 600)) == [False, False, True, False, False]


def test_an_accepted_drop_is_the_new_usual_size_at_once() -> None:
    history = nights(*[1000] * 5, 100, 100)
    history[-1] = replace(history[-1], accepted=True)

    following = night(7, 100, history)
    again = night(8, 49, [*history, following])

    assert (only(following).size_drop, only(following).usual_raw_bytes) == (False, 100)
    assert (only(again).size_drop, only(again).usual_raw_bytes) == (True, 100)


def test_acceptance_outlives_the_backup_that_was_accepted() -> None:
    """A policy may keep monthly ones of the old size for a year, and the accepted one for a day."""
    history = nights(*[1000] * 5, 100)
    history[-1] = replace(history[-1], accepted=True)
    for number in range(6, 40):
        history.append(night(number, 100, history))
        history = [*history[:5], history[-1]]

    assert drops(history)[-1] is False
    assert only(history[-1]).usual_raw_bytes == 100


def test_a_second_drop_can_be_accepted_too() -> None:
    history = nights(1000, 1000, 100)
    history[-1] = replace(history[-1], accepted=True)
    history.append(night(3, 100, history))
    history.append(replace(night(4, 10, history), accepted=True))

    assert drops(history) == [False, False, True, False, True]
    assert only(night(5, 10, history)).size_drop is False


def test_accepting_one_source_says_nothing_of_another() -> None:
    """Only a source that dropped in the accepted backup begins anew."""
    before = [
        a_manifest(
            format_time(FIRST + timedelta(days=day)),
            sequence=day + 1,
            artifacts=(an_artifact("tracker", raw_bytes=1000), an_artifact("index", raw_bytes=1000)),
        )
        for day in range(3)
    ]
    accepted = a_manifest(
        format_time(FIRST + timedelta(days=3)),
        sequence=4,
        accepted=True,
        artifacts=(an_artifact("tracker", raw_bytes=10, size_drop=True), an_artifact("index", raw_bytes=1000)),
    )
    history = [*before, accepted]

    assert not compare_size(an_artifact("tracker", raw_bytes=10), history).size_drop
    assert compare_size(an_artifact("index", raw_bytes=10), history).size_drop
    assert compare_size(an_artifact("index", raw_bytes=10), history).sizes_since is None


def test_jobs_share_what_is_usual_for_a_source() -> None:
    history = [night(0, 1000, job="hourly"), night(1, 1000, job="manual")]

    assert only(night(2, 100, history, job="daily")).size_drop


def test_a_source_of_another_type_is_another_source() -> None:
    """A dump of what was a SQLite file has another size by nature."""
    history = nights(1000, 1000)

    assert only(night(2, 100, history, type="mysql")).usual_raw_bytes is None


def test_copies_that_are_in_incomplete_backups_count() -> None:
    history = [replace(each, state="partial") for each in nights(1000, 1000)]

    assert only(night(2, 100, history)).size_drop


def test_the_order_is_that_of_the_runs_whatever_the_clock_said() -> None:
    """The clock fell back by a year before the database shrank and was accepted."""
    old = [replace(each, started_at="2026-06-01T03:00:00Z", id=f"old-{each.sequence}") for each in nights(*[1000] * 5)]
    accepted = replace(night(5, 100, old), started_at="2025-06-01T03:00:00Z", accepted=True)
    assert only(accepted).size_drop

    assert not only(night(6, 100, [accepted, *old])).size_drop


def test_one_that_is_accepted_late_counts_from_where_it_was() -> None:
    history = nights(1000, 100, 1000)
    history[1] = replace(history[1], accepted=True)

    following = only(night(3, 600, history))

    assert (following.usual_raw_bytes, following.sizes_since) == (550, 2)


def test_backups_that_no_run_has_numbered_are_in_the_order_of_their_times() -> None:
    numbered = nights(10, 20, 30, 40, 50, 60, 70, 80)
    history = [replace(each, sequence=0) for each in numbered]

    assert only(night(9, 70, history[::-1])).usual_raw_bytes == 60


@given(sizes=st.lists(st.integers(0, 10_000), max_size=12), size=st.integers(0, 10_000))
def test_the_order_of_a_listing_does_not_matter(sizes: list[int], size: int) -> None:
    history = nights(*sizes)

    assert night(50, size, history) == night(50, size, history[::-1])


@given(sizes=st.lists(st.integers(0, 10_000), min_size=1, max_size=12), size=st.integers(0, 10_000))
def test_it_is_the_rule_as_it_is_written_down(sizes: list[int], size: int) -> None:
    history = nights(*sizes)
    counting = [only(each).raw_bytes for each in history if not only(each).size_drop][-5:]
    middle = sorted(counting)
    median = (middle[(len(middle) - 1) // 2] + middle[len(middle) // 2]) // 2

    assert only(night(50, size, history)).size_drop is (2 * size < median)
