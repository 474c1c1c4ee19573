"""How a run ended, as an exit code; which sources it takes."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest

from support.instance import a_manifest, an_artifact
from tracker_backup.config.model import Job, Keep
from tracker_backup.errors import UsageError
from tracker_backup.repository.manifest import DAMAGED, FAILED, PENDING, Failure
from tracker_backup.run.outcome import Outcome, Request
from tracker_backup.run.resolve import choose
from tracker_backup.sources.interface import Source

SOURCES = tuple(Source(name, "sqlite", Path("/data", name)) for name in ("tracker", "index"))


@pytest.mark.parametrize(
    ("published", "states", "code"),
    [
        (True, [], 0),
        (True, [FAILED], 3),
        (True, [DAMAGED], 3),
        (True, [PENDING], 3),
        (False, [PENDING], 3),
        (False, [PENDING, FAILED], 1),
        (False, [FAILED], 1),
        (False, [DAMAGED], 5),
        (False, [FAILED, DAMAGED], 5),
        (False, [PENDING, DAMAGED], 5),
    ],
)
def test_exit_codes(published: bool, states: list[str], code: int) -> None:
    failures = tuple(Failure("tracker", "why", state) for state in states)

    assert Outcome("id", Mock() if published else None, failures=failures).exit_code == code


@pytest.mark.parametrize(("accepted", "code"), [(False, 3), (True, 0)])
def test_a_drop_in_size_is_told_until_it_is_accepted(accepted: bool, code: int) -> None:
    manifest = a_manifest(artifacts=(an_artifact(size_drop=True),), accepted=accepted)

    assert Outcome("id", manifest).exit_code == code


def test_a_choice_of_sources_is_a_manual_backup() -> None:
    job = Job("daily", None, Keep(last=1))

    assert Request(job, None, scheduled=True).job_name == "daily"
    assert Request(job, ("index",), scheduled=False).job_name == "manual"


def test_sources_are_chosen_by_name_in_the_order_in_which_they_are() -> None:
    assert choose(SOURCES, None) == SOURCES
    assert choose(SOURCES, ["index", "tracker"]) == SOURCES
    assert choose(SOURCES, ["index"]) == SOURCES[1:]


def test_an_unknown_source_is_told_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="there is no source files, x") as raised:
        choose(SOURCES, ["tracker", "files", "x"])

    assert raised.value.hint == "there are: tracker, index"
