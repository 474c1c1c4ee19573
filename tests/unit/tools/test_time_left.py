"""What `make test-all` leaves out on a machine that is too slow for all of it, and what it never does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from side_by_side import SLOW_UNTIL
from stages import Stage, count

ROOT = Path(__file__).resolve().parents[3]
SLOW = "tests/integration/copies/test_every_destination.py::test_a_copy_comes_back_as_it_was[restic-s3]"
QUICK = "tests/unit/test_errors.py"


@pytest.fixture(scope="module")
def molecule() -> ModuleType:
    """Return the program molecule/run as a module."""
    loader = SourceFileLoader("molecule_run", str(ROOT / "molecule" / "run"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[loader.name] = module  # where its dataclasses look for their annotations
    loader.exec_module(module)
    return module


def played(molecule: ModuleType, until: float | None, took: Callable[[Any], float]) -> list[Any]:
    """Return the outcomes of one lane in which each scenario takes so many seconds, without anything being played."""
    scenarios = [
        molecule.Scenario("large", 600, core=False),
        molecule.Scenario("core", 300),
        molecule.Scenario("small", 100, core=False),
    ]
    lanes = molecule.Lanes(scenarios, until)
    lanes._one = lambda scenario: molecule.Outcome(scenario, 0, took(scenario))
    outcomes: list[Any] = lanes.run(1)
    return outcomes


def test_without_a_limit_all_are_played_in_their_order(molecule: ModuleType) -> None:
    outcomes = played(molecule, None, lambda scenario: scenario.budget_seconds * 9)

    assert [(each.scenario.name, each.code) for each in outcomes] == [("large", 0), ("core", 0), ("small", 0)]


def test_the_core_is_always_played_and_first(molecule: ModuleType) -> None:
    outcomes = played(molecule, time.time() - 1, lambda _: 1)

    left_out = molecule.LEFT_OUT
    assert [(each.scenario.name, each.code) for each in outcomes] == [
        ("core", 0),
        ("large", left_out),
        ("small", left_out),
    ]


def test_how_slow_the_machine_was_so_far_is_expected_of_the_rest(molecule: ModuleType) -> None:
    """There is enough for both of them, but not for the large one at twice its budget."""
    until = time.time() + 600 * molecule.MARGIN + 10

    on_time = played(molecule, until, lambda scenario: scenario.budget_seconds)
    slow = played(molecule, until, lambda scenario: scenario.budget_seconds * 2)

    assert [each.code for each in on_time] == [0, 0, 0]
    assert [each.code for each in slow] == [0, molecule.LEFT_OUT, 0]


def test_what_was_left_out_is_told_and_no_failure(
    molecule: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = played(molecule, time.time() - 1, lambda _: 1)

    assert molecule.report(outcomes, 3, 1.0) == 0
    told = capsys.readouterr().out
    assert "LEFT OUT large" in told
    assert "1 passed, 0 failed, 2 left out" in told

    molecule.write_junit(tmp_path / "report.xml", outcomes)
    assert count(Stage("Molecule", (), tmp_path / "report.xml"), 0) == (1, 0, 2)
    skipped = [case.get("name") for case in ET.parse(tmp_path / "report.xml").iter("testcase") if len(case)]  # noqa: S314 - ours
    assert skipped == ["large", "small"]


@pytest.mark.parametrize(("test", "said"), [(SLOW, "1 skipped"), (QUICK, "passed")])
def test_when_the_time_has_passed_a_slow_test_is_skipped_and_a_quick_one_runs(test: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", test],
        cwd=ROOT,
        env={**os.environ, SLOW_UNTIL: "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert said in done.stdout
    assert ("no time is left" in done.stdout) == (test == SLOW)
