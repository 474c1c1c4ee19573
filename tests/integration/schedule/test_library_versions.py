"""The versions of python-crontab and croniter that hosts have: they all have to write and say the same."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from integration.schedule.libraries import probed

slow = functools.partial(pytest.param, marks=pytest.mark.slow)
NEWEST_CRONTAB, NEWEST_CRONITER = "3.4.0", "7.0.0"


@pytest.fixture(scope="module")
def expected(checkout: Path) -> dict[str, list[str]]:
    """Return what the newest versions say."""
    return probed(checkout, NEWEST_CRONTAB, NEWEST_CRONITER)


def test_the_schedules_tried_are_worth_it(expected: dict[str, list[str]]) -> None:
    taken = [schedule for schedule, said in expected.items() if len(said) > 1]
    assert len(taken) >= 50
    assert len(expected) - len(taken) >= 40


# The oldest one and one in between; make test-all tries them all. Debian 12's pair has a test of its own.
@pytest.mark.parametrize("version", ["2.6.0", slow("2.7.1"), slow("3.0.0"), "3.2.0", slow("3.3.0")])
def test_python_crontab(version: str, expected: dict[str, list[str]], checkout: Path) -> None:
    assert probed(checkout, version, NEWEST_CRONITER) == expected


@pytest.mark.parametrize("version", [slow("1.3.5"), "2.0.7"])
def test_croniter(version: str, expected: dict[str, list[str]], checkout: Path) -> None:
    assert probed(checkout, NEWEST_CRONTAB, version) == expected


def test_debian_12(expected: dict[str, list[str]], checkout: Path) -> None:
    """Its own pair of versions."""
    assert probed(checkout, "2.7.1", "1.3.5") == expected
