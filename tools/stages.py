"""Run what `make check`, `make test` and `make test-all` are made of, and say how long each stage took.

Quiet stages run three at a time with their output kept back: one that passes prints a line, one that fails
prints all of it. The others, tests and Molecule scenarios, run one after the other and print as they go.
Every stage runs even if an earlier one failed. The last line counts the parts of all of them: a linter is
one part, a test is one, a scenario is one.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import side_by_side

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / ".cache" / "reports"
MOLECULE = ROOT / "molecule" / "run"
PROGRAMS = ("scripts/tracker_backup", "tools", "demo", "roles", "playbooks/files", "molecule/run")
NOTE = "note: "
"""How a quiet stage begins its last line where that belongs into the table."""
LAST_WORDS_SECONDS = 60
"""How long a stage that is ended may take to say how far it has come."""
TOO_LONG = 1.2
"""Times its budget: then what a target still runs is ended and counts as failed, before CI ends all without a word."""
SLOW_SHARE = 0.45
"""How much of all its time `make test-all` may have used up then; on the machine that budgets are for it is done."""
BUDGET_SECONDS = {"check": 60, "test": 25 * 60, "test-all": 70 * 60}


@dataclass(frozen=True)
class Stage:
    """One command; `report` is the JUnit file that it writes, if it has parts to count."""

    name: str
    command: tuple[str, ...]
    report: Path | None = None


@dataclass(frozen=True)
class Result:
    """What came of a stage: its seconds, and how many of its parts passed, failed and were skipped."""

    name: str
    seconds: float
    passed: int
    failed: int
    skipped: int = 0
    note: str = ""

    def line(self) -> str:
        """Return the stage's line in the table."""
        verdict = "FAILED" if self.failed else "ok"
        counts = f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else "")
        said = f"; {self.note}" if self.note else ""
        return f"  {verdict:<6}  {self.name:<32} {self.seconds:7.1f} s   {counts}{said}"


def linters() -> list[Stage]:
    """Return the stages that read the sources, the slowest first."""
    return [
        Stage("ansible-lint", ("ansible-lint", "--offline")),
        Stage("mypy", ("mypy",)),
        Stage("yamllint", ("yamllint", "--strict", ".")),
        Stage("pip-audit", ("python", "tools/audit.py")),
        Stage("bandit", ("bandit", "--quiet", "--configfile", "pyproject.toml", "--recursive", *PROGRAMS)),
        Stage("docstrings", ("interrogate", "-v", "scripts/tracker_backup", "tools", "demo", "bench")),
        Stage("ruff check", ("ruff", "check")),
        Stage("ruff format", ("ruff", "format", "--check")),
    ]


def preparations() -> list[Stage]:
    """Return the stages that build what is missing of the hosts and servers that tests and scenarios use."""
    return [
        Stage("database servers", ("python", "tests/support/database_images.py")),
        Stage("test hosts", (str(MOLECULE), "--prepare")),
    ]


def pytest(name: str, *arguments: str) -> Stage:
    """Return a stage that runs pytest, in several processes, and leaves a report to count from."""
    report = REPORTS / "pytest.xml"
    return Stage(name, ("pytest", "--quiet", f"--junitxml={report}", *side_by_side.OPTIONS, *arguments), report)


def count(stage: Stage, code: int) -> tuple[int, int, int]:
    """Return how many parts of a finished stage passed, failed and were skipped.

    Without a report the stage is one part. With one, a bad exit code counts as a failure even if
    no test failed.
    """
    if stage.report is None or not stage.report.exists():
        return int(code == 0), int(code != 0), 0
    suites = list(ET.parse(stage.report).getroot().iter("testsuite"))  # noqa: S314 -- written by our own pytest
    tests, failures, errors, skipped = (
        sum(int(suite.get(key, 0)) for suite in suites) for key in ("tests", "failures", "errors", "skipped")
    )
    failed = failures + errors
    return tests - failed - skipped, max(failed, int(code != 0)), skipped


def end_of(process: subprocess.Popen[str], limit_seconds: float | None) -> tuple[str, int | None]:
    """Wait for a process; return what it printed, if that is piped, and its exit code, None if it was ended.

    After `limit_seconds` it is interrupted, as by Ctrl-C, so that it says how far it has come, then killed.
    """
    for seconds, signal_then in ((limit_seconds, signal.SIGINT), (LAST_WORDS_SECONDS, signal.SIGKILL)):
        try:
            printed, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal_then)
        else:
            return printed or "", process.returncode if signal_then == signal.SIGINT else None
    printed, _ = process.communicate()
    return printed or "", None


def run(stage: Stage, *, quiet: bool, limit_seconds: float | None = None) -> Result:
    """Run one stage to its end; quiet, print its line then, and its output only if it failed."""
    if stage.report:
        stage.report.unlink(missing_ok=True)
    started = time.monotonic()
    with subprocess.Popen(
        stage.command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
    ) as process:
        printed, code = end_of(process, limit_seconds)
    last = printed.rstrip().rpartition("\n")[2]
    note = last.removeprefix(NOTE) if last.startswith(NOTE) else ""
    if code is None:
        note = f"ENDED after {limit_seconds:.0f} s, not done"
    result = Result(stage.name, time.monotonic() - started, *count(stage, 1 if code is None else code), note=note)
    if quiet:
        again = f"{printed}\n          once more: {' '.join(stage.command)}\n" if result.failed else ""
        print("\n".join(filter(None, (result.line(), again))), flush=True)
    return result


def run_quietly(stages: list[Stage]) -> list[Result]:
    """Run stages three at a time, in their order: one of them waits for the network, mostly."""
    with ThreadPoolExecutor(max_workers=3) as lanes:
        return list(lanes.map(lambda stage: run(stage, quiet=True), stages))


def run_openly(stages: list[Stage], until: float) -> list[Result]:
    """Run stages one after the other, each below a heading; what is not done `until` then (monotonic) has failed."""
    results = []
    for stage in stages:
        print(f"\n== {stage.name}: {' '.join(stage.command)}", flush=True)
        results.append(run(stage, quiet=False, limit_seconds=max(1, until - time.monotonic())))
    return results


def molecule_can_run() -> bool:
    """Return whether Molecule has to run, and say so where it cannot; in CI it has to."""
    asked = subprocess.run([MOLECULE, "--can-run"], cwd=ROOT, check=False, stdin=subprocess.DEVNULL)
    if asked.returncode == 0 or os.environ.get("CI") == "true":
        return True
    print("\nMolecule cannot run here (the reason stands above): its scenarios are left out.", flush=True)
    return False


def molecule(target: str, until: float) -> list[Stage]:
    """Return the Molecule stage; of test-all what would not be done `until` then (Unix time) is left out, and told."""
    report = REPORTS / "molecule.xml"
    which = ("--all", f"--until={until:.0f}") if target == "test-all" else ("--core",)
    return [
        Stage(
            "Molecule",
            (str(MOLECULE), *which, f"--junitxml={report}"),
            report,
        )
    ]


def run_target(target: str) -> list[Result]:
    """Run all stages of a target and return their results."""
    if target == "check":
        return run_quietly([pytest("quick tests", "-m", "not slow", "tests/unit", "tests/docs"), *linters()])
    selection = () if target == "test-all" else ("-m", "not slow")
    demo = [Stage("demo", ("python", "demo/run.py"))] if target == "test-all" else []
    tests = pytest("all tests" if target == "test-all" else "tests", "--durations=25", *selection)
    seconds = TOO_LONG * BUDGET_SECONDS[target]
    until, end = time.monotonic() + seconds, time.time() + seconds
    if target == "test-all":
        os.environ[side_by_side.SLOW_UNTIL] = str(time.time() + SLOW_SHARE * seconds)
    hosts = molecule_can_run()
    results = run_quietly([*(preparations() if hosts else []), *linters()])
    return results + run_openly([tests, *demo, *(molecule(target, end) if hosts else [])], until)


def main() -> int:
    """Run the target named on the command line; exit 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=BUDGET_SECONDS)
    target: str = parser.parse_args().target
    REPORTS.mkdir(parents=True, exist_ok=True)
    # Who started this in the background had it ignored, and what is started here would ignore it as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    started = time.monotonic()
    results = run_target(target)
    seconds, budget = time.monotonic() - started, BUDGET_SECONDS[target]
    print(f"\nmake {target}", *(result.line() for result in results), sep="\n")
    over = "" if seconds <= budget else ": OVER ITS BUDGET"
    print(f"  {seconds:.0f} s of the {budget} s that it may take{over}")
    passed, failed, skipped = (
        sum(getattr(result, key) for result in results) for key in ("passed", "failed", "skipped")
    )
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""), flush=True)
    return int(failed > 0 or passed == 0)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
