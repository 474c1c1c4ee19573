"""The runner of the make targets: what it counts must be true, whatever a stage does."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

import side_by_side
import stages
from stages import Stage


def python(name: str, code: str, report: Path | None = None) -> Stage:
    """Return a stage that runs a line of Python."""
    return Stage(name, (sys.executable, "-c", code), report)


@pytest.mark.parametrize(("code", "expected"), [("", (1, 0)), ("raise SystemExit(3)", (0, 1))])
def test_a_stage_without_a_report_is_one_part(code: str, expected: tuple[int, int]) -> None:
    result = stages.run(python("a linter", code), quiet=True)

    assert (result.passed, result.failed) == expected


def test_what_a_quiet_stage_notes_stands_in_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    result = stages.run(python("an audit", "print('chatter'); print('note: NOT AUDITED')"), quiet=True)

    assert result.line().endswith("1 passed, 0 failed; NOT AUDITED")
    assert "chatter" not in capsys.readouterr().out


@pytest.mark.parametrize("options", [(), side_by_side.OPTIONS], ids=["in one process", "side by side"])
def test_a_real_pytest_report_is_counted(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "test_x.py").write_text(
        "import pytest\n"
        "def test_a(): pass\n"
        "def test_b(): assert False\n"
        "@pytest.fixture\n"
        "def broken(): raise OSError\n"
        "def test_c(broken): pass\n"
        "@pytest.mark.skipif(True, reason='so')\n"
        "def test_d(): pass\n"
    )
    report = tmp_path / "report.xml"
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", "-c", "/dev/null")
    command += (f"--basetemp={tmp_path / 'its'}", *options)  # it would close the directory of all temporary ones

    result = stages.run(Stage("tests", (*command, f"--junitxml={report}", str(tmp_path)), report), quiet=True)

    assert (result.passed, result.failed, result.skipped) == (1, 2, 1)


def test_a_report_of_an_earlier_run_does_not_count(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite tests="7" failures="0" errors="0" skipped="0"/></testsuites>')

    result = stages.run(python("tests", "raise SystemExit(2)", report), quiet=True)

    assert (result.passed, result.failed) == (0, 1)


def test_a_bad_end_after_good_tests_is_a_failure(tmp_path: Path) -> None:
    """Say, a run that was ended because it hung: no test failed, but it is not green either."""
    report = tmp_path / "report.xml"
    code = (
        f'open({str(report)!r}, \'w\').write(\'<testsuite tests="2" failures="0" errors="0" skipped="0"/>\');'
        "raise SystemExit(1)"
    )

    result = stages.run(python("tests", code, report), quiet=True)

    assert (result.passed, result.failed) == (2, 1)


def test_a_failing_stage_shows_what_it_said_a_passing_one_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    stages.run_quietly([python("good", "print('all is ' + 'well')"), python("bad", "exit('it ' + 'broke')")])

    printed = capsys.readouterr().out
    assert "it broke" in printed
    assert "all is well" not in printed


def test_what_hangs_is_ended_and_counts_with_all_that_it_said(capsys: pytest.CaptureFixture[str]) -> None:
    code = (
        # Whoever was started in the background is deaf to it.
        "import signal, time\nsignal.signal(signal.SIGINT, signal.default_int_handler)\nprint('so far', flush=True)\n"
        "try: time.sleep(600)\nexcept KeyboardInterrupt: print('stopped'); raise SystemExit(0)"
    )

    result = stages.run(python("tests", code), quiet=True, limit_seconds=3)

    assert (result.passed, result.failed) == (0, 1)
    assert "ENDED after 3 s" in result.line()
    assert "so far\nstopped" in capsys.readouterr().out


def test_what_hangs_and_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "LAST_WORDS_SECONDS", 1)
    code = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(600)"

    result = stages.run(python("tests", code), quiet=True, limit_seconds=3)

    assert (result.passed, result.failed) == (0, 1)


def run_main(monkeypatch: pytest.MonkeyPatch, results: list[stages.Result]) -> int:
    """Run the runner's main function with the results of a made-up target."""
    monkeypatch.setattr(sys, "argv", ["stages.py", "check"])
    monkeypatch.setattr(stages, "run_target", lambda target: results)
    return stages.main()


@pytest.mark.parametrize(
    ("results", "code", "last"),
    [
        ([stages.Result("a", 1, 3, 0), stages.Result("b", 1, 1, 0)], 0, "4 passed, 0 failed"),
        ([stages.Result("a", 1, 3, 0, 2), stages.Result("b", 1, 0, 1)], 1, "3 passed, 1 failed, 2 skipped"),
        ([], 1, "0 passed, 0 failed"),
    ],
)
def test_the_last_line_is_the_sum_of_all_stages(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    results: list[stages.Result],
    code: int,
    last: str,
) -> None:
    assert run_main(monkeypatch, results) == code

    assert capsys.readouterr().out.splitlines()[-1] == last


@pytest.fixture
def no_molecule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the checkout one whose Molecule cannot run."""
    (tmp_path / "molecule").mkdir()
    runner = tmp_path / "molecule" / "run"
    runner.write_text("#!/bin/sh\necho 'no podman here' >&2\nexit 1\n", encoding="utf-8")
    runner.chmod(0o755)
    monkeypatch.setattr(stages, "ROOT", tmp_path)
    monkeypatch.setattr(stages, "MOLECULE", runner)
    monkeypatch.delenv("CI", raising=False)


@pytest.mark.usefixtures("no_molecule")
def test_where_molecule_cannot_run_it_is_left_out_and_said(capfd: pytest.CaptureFixture[str]) -> None:
    assert not stages.molecule_can_run()

    printed = capfd.readouterr()
    assert "no podman here" in printed.err
    assert "left out" in printed.out


@pytest.mark.usefixtures("no_molecule")
def test_in_ci_molecule_has_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    assert stages.molecule_can_run()
    results = [stages.run(stage, quiet=True) for stage in stages.molecule("test-all", time.time() + 60)]

    assert [result.failed for result in results] == [1]
