"""What the command line understands, and what it refuses rather than pass over."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pytest

from tracker_backup import __version__
from tracker_backup.cli.arguments import build_parser, parse_arguments

COMMANDS = [
    "list", "show", "verify", "restore", "prune", "keep", "unkeep", "accept", "status", "discover", "doctor",
    "notify", "schedule", "config", "init", "move", "init-copy", "copy", "fetch", "compose", "serve",
]  # fmt: skip


def parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    parser = build_parser()
    yield "", parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


PARSERS = dict(parsers())


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(words)
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_all_commands_are_there() -> None:
    assert set(PARSERS) == {"", *COMMANDS}


@pytest.mark.parametrize("command", PARSERS)
def test_help_names_and_describes_every_option(command: str) -> None:
    parser = PARSERS[command]
    shown = parser.format_help()

    for action in parser._actions:
        assert action.help or action.dest == "chosen"
        assert all(option in shown for option in action.option_strings)


@pytest.mark.parametrize("command", PARSERS)
def test_every_command_takes_the_common_options(command: str) -> None:
    options = {option for action in PARSERS[command]._actions for option in action.option_strings}

    assert {"--instance", "--config", "-v", "--verbose", "-q", "--quiet", "-h", "--help"} <= options


@pytest.mark.parametrize(
    "words",
    [
        ["-q", "-v", "--instance", "a", "list"],
        ["list", "-q", "-v", "--instance", "a"],
        ["-q", "list", "--instance", "a", "-v"],
        ["--instance", "b", "-q", "list", "--instance", "a", "--verbose"],
    ],
    ids=" ".join,
)
def test_common_options_stand_before_or_after_a_command(words: list[str]) -> None:
    arguments = parse_arguments(words)

    assert (arguments.instance, arguments.quiet, arguments.verbose, arguments.config) == ("a", True, True, None)


def test_without_anything_there_are_defaults() -> None:
    arguments = parse_arguments([])

    assert (arguments.instance, arguments.config, arguments.quiet, arguments.verbose) == (None, None, False, False)
    assert not arguments.now


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--dry-run", "prune"], "--dry-run goes with --now only; an option of a command stands after it"),
        (["--source", "tracker", "restore", "latest", "--to", "x"], "--source goes with --now only"),
        (["restore", "latest", "--to", "x", "--yes"], "--yes goes with --in-place only"),
        (["restore", "latest", "--to", "x", "--in-place"], "not allowed with argument"),
        (["--job", "daily"], "--job goes with --now only"),
        (["--if-due", "--quiet"], "--if-due goes with --now only"),
        (["--wait"], "--wait goes with --now only"),
        (["--after-boot"], "--after-boot goes with --now only"),
        (["--now", "list"], "--now and list are two commands"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_option_that_would_be_passed_over_is_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    """Each of these would do something else than what was meant: delete for once, or back up nothing."""
    assert said in refused(capsys, *words)


@pytest.mark.parametrize(
    "words",
    [["backup"], ["--nwo"], ["list", "--al"], ["--no"], ["restore", "latest"], ["schedule"], ["schedule", "stop"],
     ["verify", "x", "--all"], ["show"], ["list", "surplus"], ["--instance"]],
    ids=" ".join,
)  # fmt: skip
def test_mistakes_exit_with_2_and_say_where_help_is(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    said = refused(capsys, *words)

    assert said.startswith("tracker-backup")
    assert "--help" in said


@pytest.mark.parametrize("words", [["prune", "--dry-run"], ["schedule", "apply", "--dry-run"]])
def test_a_command_has_its_own_dry_run(words: list[str]) -> None:
    assert parse_arguments(words).dry_run


def test_now_has_its_options() -> None:
    words = ["--now", "--job", "a", "--source", "x", "--source", "y", "--if-due", "--wait", "--after-boot", "--dry-run"]
    arguments = parse_arguments(words)

    assert (arguments.job, arguments.only_sources) == ("a", ["x", "y"])
    assert all((arguments.now, arguments.if_due, arguments.wait, arguments.after_boot, arguments.rehearse))


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(["--version"])

    assert (caught.value.code, capsys.readouterr().out) == (0, f"tracker-backup {__version__}\n")


def test_help_tells_the_exit_codes() -> None:
    shown = PARSERS[""].format_help()

    for code in ("0 done", "1 failed", "2 usage", "3 partial", "4 another run", "5 a check failed", "129, 130, 143"):
        assert code in shown.replace("\n", " ")
