"""What is worth a notification, and in which words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tracker_backup.notify.rule import ALWAYS, FAILURE, RECOVERY, Ended, Note, trial, words, worth_telling

GOOD, BAD = True, False
ENDED = Ended("alpha", "default", "daily", "2026-11-29T03:00:12Z", 1, "nothing was published: tracker: gone\n  look")


def told(when: str, ends: list[bool]) -> list[bool]:
    """Return which of these ends of one job's runs are told of."""
    found, was_bad = [], False
    for ended_well in ends:
        found.append(worth_telling(when, ended_well=ended_well, was_bad=was_bad))
        was_bad = not ended_well
    return found


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (FAILURE, [False, True, True, False, False, True, False]),
        (RECOVERY, [False, True, True, True, False, True, True]),
        (ALWAYS, [True] * 7),
    ],
)
def test_which_of_many_nights_are_told_of(when: str, expected: list[bool]) -> None:
    assert told(when, [GOOD, BAD, BAD, GOOD, GOOD, BAD, GOOD]) == expected


def note(ended: Ended, *, was_bad: bool = False) -> Note:
    return words(ended, was_bad=was_bad, log="/var/log/x.log", status_command="sudo tracker-backup status")


def test_a_failure_says_where_what_why_and_what_next() -> None:
    sent = note(ENDED)

    assert sent.title == "tracker-backup on alpha: default, job daily FAILED"
    assert sent.kind == "failure"
    assert sent.body.splitlines() == [
        "host: alpha",
        "instance: default",
        "job: daily",
        "ended: 2026-11-29T03:00:12Z, failed, nothing was published (exit 1)",
        "",
        "nothing was published: tracker: gone",
        "  look",
        "",
        "more: sudo tracker-backup status",
        "log: /var/log/x.log",
    ]


@pytest.mark.parametrize(
    ("code", "was_bad", "title", "kind"),
    [
        (0, False, "done", "success"),
        (0, True, "works again", "success"),
        (3, False, "needs a look", "warning"),
        (5, True, "FAILED", "failure"),
        (143, False, "FAILED", "failure"),
    ],
)
def test_the_title_says_how_it_ended(code: int, was_bad: bool, title: str, kind: str) -> None:
    sent = note(replace(ENDED, exit_code=code), was_bad=was_bad)

    assert sent.title.endswith(f"job daily {title}")
    assert sent.kind == kind


def test_a_success_needs_no_next_step() -> None:
    sent = note(replace(ENDED, exit_code=0, message="20261129T030000Z-daily verified"))

    assert sent.body.endswith("(exit 0)\n\n20261129T030000Z-daily verified")


def test_a_long_message_loses_its_end_and_not_what_stands_behind_it() -> None:
    sent = note(replace(ENDED, message="the cause " + "x" * 10_000))

    assert len(sent.body) <= 2000
    assert "the cause xxx" in sent.body
    assert sent.body.endswith("x …\n\nmore: sudo tracker-backup status\nlog: /var/log/x.log")


@pytest.mark.guarantee(14)
@pytest.mark.parametrize("text", ["a\nb", "\x1b[2J", "\u202egpj", "\udcff", "a\r\nb", "\0", "%s{0}$(x)<b>"])
def test_hostile_text_is_text(text: str) -> None:
    sent = note(replace(ENDED, host=text, message=f"cannot read {text}"))

    assert sent.title.isprintable()
    assert all(line.isprintable() for line in sent.body.split("\n"))
    sent.body.encode()


def test_a_trial_says_that_it_is_one() -> None:
    sent = trial("alpha", "main", "2026-11-29T03:00:12Z")

    assert sent.title == "tracker-backup on alpha: main, a test"
    assert sent.kind == "info"
