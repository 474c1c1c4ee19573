"""The command on a host whose backups run in containers: words in, containers and one answer out."""

from __future__ import annotations

import pytest

from tracker_backup.cli import arguments
from tracker_backup.placement import outside


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["--now", "--job", "list"], "--now"),
        (["--instance", "status", "list"], "list"),
        (["status", "--json"], "status"),
        (["-q"], ""),
        ([], ""),
        (["--instance=x", "restore", "latest", "--to", "status"], "restore"),
        (["--config", "prune", "doctor"], "doctor"),
    ],
)
def test_the_command_is_known_among_the_words(words: list[str], command: str) -> None:
    assert outside.command_of(words) == command


def test_all_commands_of_the_program_are_known() -> None:
    (commands,) = [action.choices for action in arguments.build_parser()._actions if action.dest == "chosen"]

    assert set(outside.COMMANDS) == set(commands or ()) - {"serve"}


@pytest.mark.parametrize(
    ("words", "value"),
    [(["--instance", "a", "list"], "a"), (["list", "--instance=b"], "b"), (["list"], None), (["--instance"], None)],
)
def test_the_instance_is_known_among_the_words(words: list[str], value: str | None) -> None:
    assert outside.value_of(words, "--instance") == value


def test_the_sources_are_known_among_the_words() -> None:
    assert outside.values_of(["--now", "--source", "a", "--source=b"], "--source") == ["a", "b"]


SIDECARS = [
    {"id": name, "state": "running", "name": name, "instance": "default", "source": name}
    for name in ("files", "index", "tracker")
]


@pytest.mark.parametrize(
    ("words", "sources"),
    [
        (["--now"], ["files", "index", "tracker"]),
        (["--now", "--source", "index"], ["index"]),
        (["--now", "--source", "index", "--source=tracker"], ["index", "tracker"]),
        (["--now", "--job", "daily-tracker"], ["tracker"]),
        (["--now", "--job", "daily"], ["files", "index", "tracker"]),
        (["restore", "latest", "--source", "index", "--into", "x"], ["index"]),
        (["status"], ["files", "index", "tracker"]),
    ],
)
def test_the_sidecars_are_those_whose_source_is_meant(words: list[str], sources: list[str]) -> None:
    found = outside.chosen(SIDECARS, words, outside.command_of(words))

    assert [each["source"] for each in found] == sources


def test_a_source_without_a_sidecar_is_refused() -> None:
    with pytest.raises(outside.RefusalError, match="no sidecar of movies"):
        outside.chosen(SIDECARS, ["--now", "--source", "movies"], "--now")


def test_a_sidecar_hears_of_no_source_but_its_own() -> None:
    words = ["--now", "--source", "index", "--wait", "--source=tracker"]

    assert outside.words_for(SIDECARS[1], words, "--now") == ["--now", "--source", "index", "--wait"]
    assert outside.words_for(SIDECARS[2], words, "--now") == ["--now", "--wait", "--source=tracker"]
    assert outside.words_for({**SIDECARS[0], "source": ""}, words, "--now") == words


@pytest.mark.parametrize(
    ("codes", "command", "code"),
    [
        ([0, 0], "--now", 0),
        ([0, 3], "--now", 3),
        ([3, 1], "--now", 1),
        ([4, 0], "--now", 4),
        ([143, 0], "--now", 143),
        ([0, 2], "--now", 0),
        ([2, 2], "--now", 2),
        ([0, 2], "config", 2),
        ([1, 2, 3], "status", 2),
        ([1, 3], "status", 1),
        ([0, 3], "status", 3),
        ([0, 137], "status", 2),
        ([0, 126], "status", 2),
        ([0, 2], "", 0),
    ],
)
def test_of_several_exit_codes_the_one_that_says_most_is_ours(codes: list[int], command: str, code: int) -> None:
    assert outside.worst(codes, command) == code


def test_arrays_of_several_sidecars_become_one() -> None:
    assert outside.together({"a": [{"x": 1}], "b": [{"x": 2}]}) == [{"x": 1}, {"x": 2}]


def test_of_several_states_the_worst_is_the_state_of_all() -> None:
    printed = {
        name: outside.document(name, text)
        for name, text in {
            "a": b'{"state": "OK", "reasons": [], "jobs": [{"name": "x"}]}',
            "b": b'{"state": "WARNING", "reasons": [{"text": "late"}], "jobs": []}',
            "c": b"",
        }.items()
    }

    told = outside.together(printed)

    assert told["state"] == "CRITICAL"
    assert [(each["instance"], each["text"]) for each in told["reasons"]] == [
        ("b", "late"), ("c", "the container of c does not answer"),
    ]  # fmt: skip
    assert told["jobs"] == [{"instance": "a", "name": "x"}]
