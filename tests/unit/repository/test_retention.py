"""Which backups stay: properties that hold for any history, and a year of nights."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.instance import a_manifest, an_artifact
from support.policy_oracle import staying
from tracker_backup.config.model import Keep
from tracker_backup.repository.manifest import Artifact, Manifest, format_time
from tracker_backup.repository.retention import MANUAL_KEEP, decide

pytestmark = pytest.mark.guarantee(5)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
POLICIES = {"daily": Keep(last=2, daily=3), "hourly": Keep(last=4)}

quickly = settings(max_examples=40)
artifacts = st.builds(
    an_artifact,
    source=st.sampled_from(["tracker", "index"]),
    state=st.sampled_from(["verified", "unverified"]),
    checks=st.sampled_from([(), ({"check": "quick_check", "ok": None},)]),
    size_drop=st.sampled_from([False, False, False, True]),
)
rules = st.builds(Keep, *[st.integers(0, 4)] * 6)


@st.composite
def histories(draw: st.DrawFn) -> list[Manifest]:
    """A repository's manifests: any job, state and time, the future and equal times among them."""
    hours = st.integers(-40 * 24, 48) | st.integers(-30, 3) | st.integers(-700, 2).map(lambda days: 24 * days)
    times = draw(st.lists(hours.map(lambda hour: NOW + timedelta(hours=hour)), max_size=25))
    sequences = draw(st.permutations(range(len(times))) | st.just([0] * len(times)))
    found = []
    for number, moment in enumerate(times):
        state = draw(st.sampled_from(["verified", "verified", "unverified", "partial"]))
        content: tuple[Artifact, ...] = tuple(draw(st.lists(artifacts, min_size=1, max_size=2)))
        if state == "verified":
            content = tuple(replace(artifact, state="verified") for artifact in content)
        job = draw(st.sampled_from(["daily", "hourly", "manual", "removed"]))
        manifest = a_manifest(format_time(moment), job, state=state, artifacts=content)
        marks = {"kept": draw(st.integers(0, 6)) == 0, "accepted": draw(st.integers(0, 3)) == 0}
        found.append(replace(manifest, id=f"{manifest.id}-{number}", sequence=sequences[number], **marks))
    return found


def kept(manifests: Sequence[Manifest], policies: dict[str, Keep] | None = None, now: datetime = NOW) -> list[Manifest]:
    verdicts = {verdict.id: verdict.keep for verdict in decide(manifests, policies or POLICIES, now)}
    return [manifest for manifest in manifests if verdicts[manifest.id]]


@quickly
@given(history=histories())
def test_every_backup_gets_one_verdict_with_a_reason(history: list[Manifest]) -> None:
    verdicts = decide(history, POLICIES, NOW)

    assert sorted(verdict.id for verdict in verdicts) == sorted(manifest.id for manifest in history)
    assert all(verdict.reason for verdict in verdicts)


@settings(max_examples=300)
@given(history=histories(), daily=rules, hourly=rules)
def test_what_stays_is_what_the_policy_says_when_it_is_said_in_another_way(
    history: list[Manifest], daily: Keep, hourly: Keep
) -> None:
    policies = {"daily": daily, "hourly": hourly}

    assert {item.id for item in kept(history, policies)} == staying(history, policies, NOW)


@pytest.mark.guarantee(5)
@quickly
@given(history=histories())
def test_what_is_pinned_stays(history: list[Manifest]) -> None:
    assert [item for item in history if item.kept and item not in kept(history)] == []


@quickly
@given(pinned=st.sets(st.integers(0, 59)), keep=rules.filter(lambda keep: keep != Keep(*[0] * 6)))
def test_what_is_pinned_takes_no_place(pinned: set[int], keep: Keep) -> None:
    history = [replace(item, kept=number in pinned) for number, item in enumerate(nights(60))]
    others = [item for item in history if not item.kept]

    beside = [item for item in kept(history, {"daily": keep}) if not item.kept]

    assert beside == kept(others, {"daily": keep})


@pytest.mark.guarantee(5)
@quickly
@given(history=histories())
def test_the_newest_verified_artifact_of_every_source_stays(history: list[Manifest]) -> None:
    staying = kept(history)
    for source in ("tracker", "index"):
        for state in ("verified", "good"):
            having = [
                manifest
                for manifest in history
                if manifest.started <= NOW
                and any(item.source == source and getattr(item, state) for item in manifest.artifacts)
            ]
            if having:
                newest = max(manifest.started for manifest in having)
                assert any(manifest.started == newest for manifest in having if manifest in staying)


@quickly
@given(history=histories())
def test_what_is_still_to_come_stays(history: list[Manifest]) -> None:
    assert [item for item in history if item.started > NOW and item not in kept(history)] == []


@quickly
@given(history=histories())
def test_backups_of_a_job_without_a_policy_stay(history: list[Manifest]) -> None:
    assert [item for item in history if item.job == "removed" and item not in kept(history)] == []


@quickly
@given(history=histories())
def test_deciding_again_deletes_nothing_more(history: list[Manifest]) -> None:
    once = kept(history)

    assert kept(once) == once


@quickly
@given(history=histories(), seed=st.randoms())
def test_the_order_of_a_listing_does_not_matter(history: list[Manifest], seed: random.Random) -> None:
    shuffled = list(history)
    seed.shuffle(shuffled)

    assert {item.id for item in kept(shuffled)} == {item.id for item in kept(history)}


@pytest.mark.guarantee(5)
@quickly
@given(history=histories())
def test_an_incomplete_backup_takes_no_place_of_a_good_one(history: list[Manifest]) -> None:
    good = [item for item in history if item.good]

    assert [item for item in kept(good) if item not in kept(history) and item.job != "removed"] == [
        # Kept alone only for an artifact of which an incomplete backup has a newer one.
        item
        for item in kept(good)
        if item not in kept(history)
        and any(
            other.started >= item.started and any(a.source == b.source and a.good for a in other.artifacts)
            for b in item.artifacts
            for other in history
            if not other.good
        )
    ]


@quickly
@given(history=histories())
def test_the_policy_is_an_upper_bound(history: list[Manifest]) -> None:
    """Good and incomplete ones have it each; beside it stays what a person has pinned, and an artifact of each source:
    verified or unchecked, of any size or of the usual one, newest by the clock or made last."""
    for job, keep in {**POLICIES, "manual": MANUAL_KEEP}.items():
        staying = [item for item in kept(history) if item.job == job and item.started <= NOW and not item.kept]
        assert len(staying) <= 2 * keep.most + 2 * 2 * 2 * 2


def nights(count: int, **changes: object) -> list[Manifest]:
    first = NOW.replace(hour=3) - timedelta(days=count - 1)
    return [a_manifest(format_time(first + timedelta(days=day)), **changes) for day in range(count)]  # type: ignore[arg-type]


def test_the_default_policy_keeps_a_week() -> None:
    history = nights(30)

    assert kept(history, {"daily": Keep(last=2, daily=7)}) == history[-7:]


def test_days_that_were_missed_do_not_count() -> None:
    """After a long holiday of the host the seven newest days that have a backup are still there."""
    history = [manifest for number, manifest in enumerate(nights(60)) if number % 9 == 0]

    assert kept(history, {"daily": Keep(daily=7)}) == history[-7:]


def test_several_backups_of_a_day_count_once() -> None:
    times = ["2026-11-22T00:00:00Z", "2026-11-22T12:00:00Z", "2026-11-22T23:59:59Z", "2026-11-23T00:00:00Z"]
    history = [a_manifest(time) for time in times]

    assert kept(history, {"daily": Keep(daily=2)}) == history[2:]


@pytest.mark.parametrize(
    ("rule", "earlier", "later", "together"),
    [
        ("hourly", "2026-11-22T02:00:00Z", "2026-11-22T02:59:59Z", True),
        ("hourly", "2026-11-22T02:59:59Z", "2026-11-22T03:00:00Z", False),
        ("hourly", "2026-11-21T02:30:00Z", "2026-11-22T02:30:00Z", False),
        ("hourly", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", False),  # both are 02:30 in Berlin
        ("daily", "2026-11-22T00:00:00Z", "2026-11-22T23:59:59Z", True),
        ("daily", "2026-11-21T23:59:59Z", "2026-11-22T00:00:00Z", False),
        ("daily", "2026-10-22T03:00:00Z", "2026-11-22T03:00:00Z", False),
        ("weekly", "2026-11-16T00:00:00Z", "2026-11-22T23:59:59Z", True),
        ("weekly", "2026-11-22T23:59:59Z", "2026-11-23T00:00:00Z", False),
        ("weekly", "2024-12-30T03:00:00Z", "2025-01-05T03:00:00Z", True),  # the first week of 2025
        ("weekly", "2020-12-28T03:00:00Z", "2021-01-03T03:00:00Z", True),  # the 53rd of 2020
        ("weekly", "2020-12-27T03:00:00Z", "2021-12-29T03:00:00Z", False),  # both are number 52
        ("weekly", "2024-01-01T03:00:00Z", "2024-12-30T03:00:00Z", False),  # both are number 1
        ("monthly", "2026-10-01T00:00:00Z", "2026-10-31T23:59:59Z", True),
        ("monthly", "2026-10-31T23:59:59Z", "2026-11-01T00:00:00Z", False),
        ("monthly", "2025-11-22T03:00:00Z", "2026-11-22T03:00:00Z", False),
        ("yearly", "2025-01-01T00:00:00Z", "2025-12-31T23:59:59Z", True),
        ("yearly", "2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", False),
        ("yearly", "1926-06-01T03:00:00Z", "2026-06-01T03:00:00Z", False),
    ],
)
def test_what_lies_in_one_period(rule: str, earlier: str, later: str, together: bool) -> None:
    history = [a_manifest(earlier), a_manifest(later)]

    assert kept(history, {"daily": Keep(**{rule: 2})}) == history[together:]
    assert kept(history, {"daily": Keep(**{rule: 1})}) == history[1:]


@pytest.mark.parametrize(
    ("suffixes", "sequences"),
    [(["", "-2", "-10"], [0, 0, 0]), (["-2", "-3", ""], [1, 2, 3])],
    ids=["not numbered", "numbered"],
)
def test_runs_of_one_second_are_in_the_order_in_which_they_were(suffixes: list[str], sequences: list[int]) -> None:
    history = [
        a_manifest(id=f"20261122T030000Z-daily{suffix}", sequence=sequence)
        for suffix, sequence in zip(suffixes, sequences, strict=True)
    ]

    for order in (history, history[::-1]):
        assert kept(order, {"daily": Keep(last=1)}) == history[-1:]


def test_after_a_clock_was_ahead_both_newest_ones_of_a_source_stay() -> None:
    """The one with the highest time, and the one that was made last."""
    ahead = a_manifest("2026-11-20T03:00:00Z", state="partial", sources=["index"], sequence=1)
    last = a_manifest("2026-11-10T03:00:00Z", state="partial", sources=["index"], sequence=2)
    before = a_manifest("2026-11-09T03:00:00Z", state="partial", sources=["index"], sequence=0)
    complete = a_manifest("2026-11-21T03:00:00Z", sequence=3)

    verdicts = {each.id: each for each in decide([before, last, ahead, complete], {"daily": Keep(last=1)}, NOW)}

    assert [identifier for identifier, each in verdicts.items() if not each.keep] == [before.id]
    assert verdicts[ahead.id].reason == "holds the newest verified artifact of index"
    assert verdicts[last.id].reason == "holds the most recently made verified artifact of index"


@pytest.mark.guarantee(5)
def test_the_last_one_of_its_usual_size_stays_of_every_source() -> None:
    dropped = (an_artifact("tracker"), an_artifact("index", size_drop=True))
    history = [
        a_manifest("2026-11-01T03:00:00Z", sources=["tracker", "index"], sequence=1),
        a_manifest("2026-11-02T03:00:00Z", artifacts=dropped, sequence=2),
        *[replace(each, sequence=number) for number, each in enumerate(nights(10), start=3)],
    ]

    verdicts = decide(history, {"daily": Keep(last=1)}, NOW)

    assert [each.keep for each in verdicts] == [True, True, *[False] * 9, True]
    assert [each.reason for each in verdicts[:2]] == [
        "holds the newest verified artifact of index",
        "holds the newest verified artifact of any size of index",
    ]


def test_nothing_is_deleted_for_time_alone() -> None:
    """A host that was off for years: what is there is the newest that there is."""
    history = nights(7)

    assert kept(history, {"daily": Keep(daily=7)}, NOW + timedelta(days=4000)) == history


def test_a_clock_that_was_ahead_costs_no_backup() -> None:
    ahead = a_manifest("2031-01-01T03:00:00Z")
    history = [*nights(7), ahead]

    assert kept(history, {"daily": Keep(daily=7)}) == history


def test_a_clock_that_falls_back_makes_all_of_it_future_and_deletes_nothing() -> None:
    history = nights(30)

    assert kept(history, now=datetime(1970, 1, 1, tzinfo=UTC)) == history


def test_a_source_that_fails_night_after_night_does_not_fill_the_disk() -> None:
    complete, incomplete = nights(100)[:10], nights(100, state="partial")[10:]

    staying = kept([*complete, *incomplete], {"daily": Keep(last=2, daily=7)})

    assert staying == [*complete[-7:], *incomplete[-7:]]


@pytest.mark.guarantee(5)
def test_the_only_copy_of_a_source_outlives_any_number_of_backups_without_it() -> None:
    first = nights(200, sources=["tracker", "index"])[0]
    partial = nights(200, state="partial")[1:]

    assert first in kept([first, *partial], {"daily": Keep(last=1)})


def test_incomplete_ones_go_when_a_complete_one_is_newer() -> None:
    history = [*nights(3, state="partial")[:2], nights(1)[0]]

    assert kept(history, {"daily": Keep(last=2)}) == history[-1:]


@pytest.mark.guarantee(5)
def test_unchecked_backups_do_not_displace_the_last_verified_one() -> None:
    """After a change to `check: none` the last one that is known to be sound stays."""
    verified = nights(50)[0]
    unchecked = nights(50, state="unverified", artifacts=(an_artifact(state="unverified", checks=()),))[1:]

    assert kept([verified, *unchecked], {"daily": Keep(last=2)}) == [verified, *unchecked[-2:]]


def test_manual_backups_have_a_policy_of_their_own() -> None:
    manual = nights(30, job="manual")
    daily = nights(30)

    staying = kept([*manual, *daily], {"daily": Keep(last=1)})

    assert [item.job for item in staying].count("manual") == max(MANUAL_KEEP.last, MANUAL_KEEP.daily)
    assert [item.job for item in staying].count("daily") == 1


@pytest.mark.parametrize("seed", range(3))
def test_a_year_of_nights(seed: int) -> None:
    """Prune after every run, as the program does: never is there less than there was to keep."""
    luck = random.Random(seed)
    policy = {"daily": Keep(last=2, daily=7)}
    repository: list[Manifest] = []
    good_nights: list[datetime] = []
    for day in range(365):
        now = datetime(2026, 1, 1, 3, tzinfo=UTC) + timedelta(days=day, minutes=luck.randrange(90))
        fate = luck.choices(["verified", "partial", "unverified", "missed"], [80, 8, 4, 8])[0]
        if fate != "missed":
            repository.append(a_manifest(format_time(now), state=fate))
        if fate == "verified":
            good_nights.append(now)
        repository = kept(repository, policy, now)
        stored = [item.started for item in repository if item.good]
        assert stored == good_nights[-7:]
        assert len(repository) <= 7 + 7 + 1


def test_the_example_in_the_documentation_is_what_happens(checkout: Path) -> None:
    """The table of docs/retention.md, row by row, against the verdicts on just those nights."""
    last = datetime(2026, 11, 25, 3, tzinfo=UTC)
    times = [last - timedelta(days=day) for day in range(80) if day != 2]
    history = [a_manifest(format_time(time), "nightly", kept=time.strftime("%m-%d") == "11-09") for time in times]
    policy = {"nightly": Keep(last=2, daily=3, weekly=3, monthly=2)}
    said = {verdict.id: verdict for verdict in decide(history, policy, NOW + timedelta(days=3))}
    text = (checkout / "docs" / "retention.md").read_text(encoding="utf-8")
    table = text.partition("| backup | | why |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    by_day = {row[0]: row for row in rows if row[0] and row[0][0].isdigit() and " to " not in row[0]}

    for manifest in history:
        verdict = said[manifest.id]
        row = by_day.get(f"{manifest.started.day} {manifest.started:%B}")
        word = "keep" if verdict.keep else "delete"
        assert (word, verdict.reason) == ((row[1], row[2]) if row else ("delete", "beyond the policy of its job")), (
            manifest.id
        )
    assert len(by_day) == sum(verdict.keep for verdict in said.values()) == 6
