"""A copy that does not fit is given up once, and not tried again every night."""

from __future__ import annotations

import json
import time

import pytest

from support.program import Installation, sqlite_source
from support.sqlite_world import OtherProcess
from support.tracker_standin import build_database

pytestmark = pytest.mark.guarantee(6, 16)

TOO_LITTLE = 0.000_001
"""Seconds in which nothing can be copied, though the trial of a database of this size says otherwise."""


@pytest.fixture
def given_up(installation: Installation) -> Installation:
    """Return an installation after a night on which the tracker would have had to wait too long."""
    installation.database.unlink()
    build_database(installation.database, mib=4, journal_mode="delete")
    rates = installation.directory / "state" / "rates.json"
    rates.parent.mkdir()
    rates.write_text(json.dumps({"tracker": [10**15, time.time()]}))  # it must seem to fit
    installation.configure(max_write_stall_seconds=TOO_LITTLE, sqlite_when_busy="refuse")

    done = installation.run("--now")

    assert done.returncode == 1
    assert "could not be copied in the 1e-06 s" in " ".join(done.stderr.split())
    noted = json.loads(rates.read_text())["tracker"][0]
    assert 0 < noted < 10**15
    return installation


@pytest.mark.guarantee(6)
def test_the_next_run_refuses_at_once_and_needs_no_lock(given_up: Installation) -> None:
    """A program that holds the database for itself would have it wait for a minute otherwise."""
    with OtherProcess(given_up.database) as tracker:
        tracker.run("BEGIN EXCLUSIVE")
        done = given_up.run("--now")

    assert done.returncode == 1
    assert "would stop the tracker's writes for" in done.stderr
    assert "is locked by another program" not in done.stderr
    assert given_up.manifests() == []


def test_the_doctor_foretells_it(given_up: Installation) -> None:
    done = given_up.run("doctor", "--json")

    told = [item for item in json.loads(done.stdout) if item["what"].startswith("tracker: ")]
    assert told[0]["level"] == "fail"
    assert "PRAGMA journal_mode=WAL" in told[0]["remedy"]


def test_a_copy_that_fits_again_makes_it_forgotten(given_up: Installation) -> None:
    given_up.configure(max_write_stall_seconds=3600)

    manifest = given_up.back_up()

    assert manifest["artifacts"][0]["method"] == "pinned"
    assert json.loads((given_up.directory / "state" / "rates.json").read_text()) == {}


def test_a_rate_that_cannot_be_noted_is_a_warning(installation: Installation) -> None:
    """What is left of the run goes on."""
    state = installation.directory / "state" / "rates.json"
    state.mkdir(parents=True)
    build_database(installation.data / "large.db", mib=4, journal_mode="delete")
    installation.configure(
        max_write_stall_seconds=TOO_LITTLE, sqlite_when_busy="refuse",
        sources=[sqlite_source(name, installation.data / f"{name}.db") for name in ("large", "tracker")],
    )  # fmt: skip

    done = installation.run("--now")

    assert done.returncode == 3
    assert [artifact["source"] for artifact in installation.manifests()[0]["artifacts"]] == ["tracker"]
    assert "Traceback" not in done.stderr
