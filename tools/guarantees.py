"""Write the tables of docs/guarantees.md: which tests try to break which promise, and what a run of them counted.

tools/guarantees.py [--check]    the tests by promise, from their marks; part of `make docs`
tools/guarantees.py --run        run them all, the long way, and write the counts too; this is `make faults`
tools/guarantees.py --again      run those that failed then once more, and write the counts of both; `make faults-again`
"""

from __future__ import annotations

import ast
import os
import platform
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import side_by_side
from generated import ROOT, publish

TARGET = ROOT / "docs" / "guarantees.md"
REPORTS = ROOT / ".cache" / "reports"
FIRST, LATER = "faults.xml", "faults-again-*.xml"
TESTS = ("<!-- Tests by promise, from the marks in tests/: make docs -->", "<!-- End of the tests -->")
COUNTS = ("<!-- Counts, from make faults -->", "<!-- End of the counts -->")
PROMISE = re.compile(r"^(\d+)\. \*\*(.+?)\*\*", flags=re.MULTILINE)
TALLY = "tally "
AGAIN = " Mended, and run again by `make faults-again`:"


def promises(text: str) -> dict[int, str]:
    """Return the promises of the document: their numbers, and the words in bold."""
    return {int(number): words.strip(" .,:") for number, words in PROMISE.findall(text)}


def marked(directory: Path) -> dict[int, dict[Path, int]]:
    """Return by promise how many test functions of each file are marked with it, read from the sources."""
    found: dict[int, dict[Path, int]] = defaultdict(lambda: defaultdict(int))
    for file in sorted(directory.rglob("test_*.py")):
        module = ast.parse(file.read_text(encoding="utf-8"))
        everywhere = {number for node in module.body if _is_pytestmark(node) for number in _numbers(node)}
        for own in _tests(module.body):
            for number in everywhere | own:
                found[number][file] += 1
    return found


def _tests(body: list[ast.stmt]) -> Iterator[set[int]]:
    """Yield for each test of a module or class the promises in its own decorators and in its class's."""
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield {number for mark in node.decorator_list for number in _numbers(mark)}
        elif isinstance(node, ast.ClassDef):
            shared = {number for mark in node.decorator_list for number in _numbers(mark)}
            yield from (shared | own for own in _tests(node.body))


def _is_pytestmark(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets
    )


def _numbers(node: ast.AST) -> Iterator[int]:
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "guarantee":
            yield from (ast.literal_eval(argument) for argument in call.args)


def tests_table(text: str) -> str:
    """Return the table of tests by promise. Raises SystemExit where a promise has no test, or a mark no promise."""
    known, found = promises(text), marked(ROOT / "tests")
    if known.keys() != found.keys():
        raise SystemExit(
            f"docs/guarantees.md: promises without a test: {sorted(known.keys() - found.keys())}; "
            f"marks without a promise: {sorted(found.keys() - known.keys())}"
        )
    rows = []
    for number, words in known.items():
        links = [f"[{file.stem}](../{file.relative_to(ROOT)}) {count}" for file, count in sorted(found[number].items())]
        rows.append(f"| {number} | {words} | {', '.join(links)} |")
    return "\n".join(["| | promise | test files, and how many tests of each |", "| --- | --- | --- |", *rows])


def cases(reports: Iterable[Path]) -> dict[tuple[str | None, str | None], ET.Element]:
    """Return each test of some reports by module and name, as the last of them has it."""
    return {
        (case.get("classname"), case.get("name")): case
        for report in reports
        for case in ET.parse(report).getroot().iter("testcase")  # noqa: S314 -- written by our own pytest
    }


def counts_table(text: str, tests: Iterable[ET.Element]) -> str:
    """Return the table of what runs counted: by promise tests, their outcomes, and the sums of their tallies."""
    passed: dict[int, int] = defaultdict(int)
    failed: dict[int, int] = defaultdict(int)
    tallies: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for case in tests:
        properties = [(item.get("name", ""), item.get("value", "")) for item in case.iter("property")]
        bad = any(case.find(outcome) is not None for outcome in ("failure", "error", "skipped"))
        for number in {int(value) for name, value in properties if name == "guarantee"}:
            (failed if bad else passed)[number] += 1
            for name, value in properties:
                if name.startswith(TALLY):
                    tallies[number][name.removeprefix(TALLY)] += int(value)
    rows = []
    for number, words in promises(text).items():
        tried = ", ".join(f"{value:,} {name}" for name, value in sorted(tallies[number].items()))
        rows.append(f"| {number} | {words} | {passed[number]} | {failed[number]} | {tried} |")
    return "\n".join(["| | promise | passed | failed | tried |", "| --- | --- | --- | --- | --- |", *rows])


def replaced(text: str, markers: tuple[str, str], content: str) -> str:
    """Return the document with new content between two markers. Raises SystemExit where they are gone."""
    before, begin, rest = text.partition(markers[0])
    _, end, after = rest.partition(markers[1])
    if not (begin and end):
        raise SystemExit(f"{TARGET} has lost the lines {markers[0]} and {markers[1]}")
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"


def run(arguments: list[str], *, again: bool = False) -> int:
    """Run every test that has a mark, the long way, or those that failed so; write the counts, return pytest's code."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    first, later = REPORTS / FIRST, sorted(REPORTS.glob(LATER))
    if again and not first.exists():
        raise SystemExit("nothing has been run yet: make faults")
    report = REPORTS / LATER.replace("*", f"{len(later) + 1:03}") if again else first
    if not again:
        for old in (first, *later):
            old.unlink(missing_ok=True)
    began = datetime.now(UTC)
    command = [sys.executable, "-m", "pytest", "--quiet", "-m", "guarantee", f"--junitxml={report}"]
    # One test's long form may take its time; and properties, the tallies, are no part of the newer form of reports.
    command += ["--timeout=3600", "--override-ini=faulthandler_timeout=4000", "--override-ini=junit_family=xunit1"]
    command += ["--last-failed", "--last-failed-no-failures=none"] if again else [*side_by_side.OPTIONS]
    code = subprocess.run(
        [*command, *arguments], cwd=ROOT, env={**os.environ, "TRACKER_BACKUP_FAULTS": "full"}, check=False
    ).returncode
    if not report.exists():
        return code
    minutes = (datetime.now(UTC) - began).total_seconds() / 60
    write(minutes if not again else None)
    return code


def write(minutes: float | None) -> None:
    """Write the counts of all reports there are; of how long it took, None leaves what the document says."""
    text = TARGET.read_text(encoding="utf-8")
    first, later = REPORTS / FIRST, sorted(REPORTS.glob(LATER))
    if minutes is None:
        told = text.partition(COUNTS[0])[2].strip().splitlines()[0]
    else:
        where = f"Python {platform.python_version()}, {len(os.sched_getaffinity(0))} cores"
        how = f"on {datetime.now(UTC):%Y-%m-%d}, {where}, in {minutes:.0f} minutes"
        told = f"By `make faults` {how}. One test may count for several."
    told = told.partition(AGAIN)[0]
    if later:
        told += AGAIN + f" {len(cases(later))} that failed."
    tests = cases([first, *later]).values()
    TARGET.write_text(replaced(text, COUNTS, f"{told}\n\n{counts_table(text, tests)}"), encoding="utf-8")
    print(f"wrote {TARGET.relative_to(ROOT)}")


def main() -> int:
    """Do what the command line asks for."""
    if sys.argv[1:2] == ["--run"]:
        return run(sys.argv[2:])
    if sys.argv[1:2] == ["--again"]:
        return run(sys.argv[2:], again=True)
    text = TARGET.read_text(encoding="utf-8")
    return publish(str(__doc__), TARGET, replaced(text, TESTS, tests_table(text)))


if __name__ == "__main__":
    sys.exit(main())
