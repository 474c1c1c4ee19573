"""A disk that fills up, breaks or goes read-only at the n-th operation, for every n of a small run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.failing_disk import failing_disk
from support.failing_nights import FAULTS, FailingNights, tiny_database
from support.program import Installation
from support.small_disk import needs_root

pytestmark = [needs_root, pytest.mark.guarantee(1, 5, 10)]
Tally = Callable[[str, int], None]


@pytest.fixture
def nights(tmp_path: Path) -> Iterator[FailingNights]:
    """Return an installation that backs up a tiny database."""
    with failing_disk(tmp_path / "disk") as disk:
        installation = Installation(tmp_path / "host")
        tiny_database(installation.database)
        yield FailingNights(installation, disk)


@pytest.mark.parametrize("kind", FAULTS)
def test_a_database(nights: FailingNights, kind: str, tally: Tally) -> None:
    operations, error, lasting, short = FAULTS[kind]
    survived = 0

    for fault in nights.every(operations, error, lasting=lasting, short=short):
        survived += nights.strike(fault).struck > 0

    assert survived, "how often it reads differs a little from run to run"
    tally("faults survived", survived)
