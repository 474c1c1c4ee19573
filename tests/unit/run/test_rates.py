"""What did not fit is remembered for a week, and a file that is damaged costs nothing but that."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from support.instance import a_manifest, an_artifact
from tracker_backup.run.history import History
from tracker_backup.run.rates import FORGET_AFTER_SECONDS, forget_rate, note_rate, read_rates


def test_rates_are_kept_by_source(tmp_path: Path) -> None:
    state = tmp_path / "not" / "made" / "yet"
    note_rate(state, "tracker", 1000)
    note_rate(state, "index", 2000.5)
    note_rate(state, "tracker", 3000)

    assert read_rates(state) == {"tracker": 3000, "index": 2000.5}


@pytest.mark.parametrize(("age", "known"), [(FORGET_AFTER_SECONDS - 60, True), (FORGET_AFTER_SECONDS + 60, False)])
def test_a_rate_is_forgotten_after_a_week(tmp_path: Path, age: float, known: bool) -> None:
    (tmp_path / "rates.json").write_text(json.dumps({"tracker": [1000, time.time() - age]}))

    assert read_rates(tmp_path) == ({"tracker": 1000} if known else {})


def test_a_rate_of_the_future_is_not_believed(tmp_path: Path) -> None:
    """A clock that was wrong once would let it rule for years."""
    (tmp_path / "rates.json").write_text(json.dumps({"tracker": [1000, time.time() + 86400]}))

    assert read_rates(tmp_path) == {}


DAMAGED = [
    "", "{", "[]", "null", "7", '{"tracker": 7}', '{"tracker": []}', '{"tracker": ["fast", 1]}', '{"tracker": null}',
    '{"tracker": [-5, NOW]}', '{"tracker": [0, NOW]}', '{"tracker": [NaN, NOW]}', '{"tracker": [Infinity, NOW]}',
    '{"tracker": [1' + "0" * 400 + ", NOW]}", "[" * 100_000, "\udcff",
]  # fmt: skip


@pytest.mark.parametrize("text", DAMAGED, ids=lambda text: text[:25].encode(errors="replace").decode())
def test_a_damaged_file_is_no_rate_and_no_obstacle(tmp_path: Path, text: str) -> None:
    text = text.replace("NOW", str(time.time()))
    (tmp_path / "rates.json").write_bytes(text.encode(errors="surrogateescape"))

    assert read_rates(tmp_path) == {}
    note_rate(tmp_path, "tracker", 5)
    assert read_rates(tmp_path) == {"tracker": 5}


def test_a_copy_that_fits_makes_the_rate_forgotten(tmp_path: Path) -> None:
    note_rate(tmp_path, "tracker", 5)
    note_rate(tmp_path, "index", 6)

    forget_rate(tmp_path, "tracker")

    assert read_rates(tmp_path) == {"index": 6}


def test_there_is_nothing_to_forget_where_nothing_was_noted(tmp_path: Path) -> None:
    forget_rate(tmp_path / "missing", "tracker")

    assert list(tmp_path.iterdir()) == []


def test_what_was_given_up_since_outweighs_the_last_copy() -> None:
    """Otherwise the good old night would have it tried again, and given up again, every night."""
    manifest = a_manifest(artifacts=(an_artifact(raw_bytes=1000, copy_seconds=1),))

    assert History([manifest]).rate("tracker") == 1000
    assert History([manifest], {"tracker": 10}).rate("tracker") == 10
    assert History([manifest], {"index": 10}).rate("tracker") == 1000


@pytest.mark.parametrize(
    ("method", "known"), [("pinned", True), ("paused", True), ("clone", False), ("recovered", False)]
)
def test_only_a_copy_of_every_byte_tells_a_rate(method: str, known: bool) -> None:
    artifact = replace(an_artifact(raw_bytes=1000, copy_seconds=1), method=method)

    assert History([a_manifest(artifacts=(artifact,))]).rate("tracker") == (1000 if known else None)
