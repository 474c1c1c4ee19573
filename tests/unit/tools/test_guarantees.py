"""The tables of guarantees are made of marks and of a report, and say when a promise has no test."""

from __future__ import annotations

from pathlib import Path

import pytest

import guarantees

TEXT = "1. **One thing.** It is so.\n2. **Another, really,** as well.\n"
REPORT = """<testsuites><testsuite>
  <testcase name="a"><properties>
    <property name="guarantee" value="1"/><property name="guarantee" value="2"/>
    <property name="tally instants killed" value="300"/></properties></testcase>
  <testcase name="b"><properties>
    <property name="guarantee" value="1"/><property name="tally instants killed" value="20"/></properties></testcase>
  <testcase name="c"><properties><property name="guarantee" value="2"/></properties><failure/></testcase>
  <testcase name="d"><properties><property name="guarantee" value="2"/></properties><skipped/></testcase>
  <testcase name="e"/>
</testsuite></testsuites>"""
MODULE = """
import pytest
pytestmark = [pytest.mark.slow, pytest.mark.guarantee(3)]

@pytest.mark.guarantee(1, 4)
def test_of_two(): ...

def test_of_the_module_alone(): ...

def helper(): ...

@pytest.mark.guarantee(5)
class TestSeveral:
    def test_of_the_class(self): ...
"""


def test_marks_are_counted_by_promise_and_file(tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(MODULE)

    assert guarantees.marked(tmp_path) == {1: {file: 1}, 3: {file: 3}, 4: {file: 1}, 5: {file: 1}}


def test_a_run_is_counted_by_promise_and_what_is_skipped_has_failed(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)

    assert guarantees.counts_table(TEXT, guarantees.cases([report]).values()).splitlines()[2:] == [
        "| 1 | One thing | 2 | 0 | 320 instants killed |",
        "| 2 | Another, really | 1 | 2 | 300 instants killed |",
    ]


def test_what_was_run_again_counts_as_it_was_the_last_time(tmp_path: Path) -> None:
    first, second = tmp_path / "1.xml", tmp_path / "2.xml"
    first.write_text(REPORT)
    second.write_text(
        '<testsuites><testsuite><testcase name="c"><properties><property name="guarantee" value="2"/>'
        '<property name="tally instants killed" value="5"/></properties></testcase></testsuite></testsuites>'
    )

    assert guarantees.counts_table(TEXT, guarantees.cases([first, second]).values()).splitlines()[2:] == [
        "| 1 | One thing | 2 | 0 | 320 instants killed |",
        "| 2 | Another, really | 2 | 1 | 305 instants killed |",
    ]


def test_a_promise_without_a_test_and_a_mark_without_a_promise_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(MODULE)
    monkeypatch.setattr(guarantees, "ROOT", tmp_path)

    with pytest.raises(SystemExit, match=r"without a test: \[2\].*without a promise: \[3, 4, 5\]"):
        guarantees.tests_table(TEXT)
