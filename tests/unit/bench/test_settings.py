"""What `make bench` is told, and what it makes of it."""

from __future__ import annotations

import math
import re

import pytest

from bench.settings import ROOT, SYNOPSIS, Case, Settings, SettingsError, bytes_of, parse, writes_a_second


def test_without_words_it_is_the_published_benchmark() -> None:
    settings = parse([])

    assert settings == Settings()
    assert not settings.trial
    assert settings.report_directory == ROOT / "docs"


def test_all_words() -> None:
    settings = parse(
        ["SIZE=32M 17G", "ORDER=sorted", "MODE=rollback", "RATE=max,7", "RUNS=1", "ONLY=ours", "ROWS=5", "LIMIT=0.5"]
    )

    assert settings.sizes == ("32M", "17G")
    assert settings.orders == ("sorted",)
    assert settings.modes == ("rollback",)
    assert settings.rates == ("max", "7")
    assert (settings.runs, settings.only, settings.rows, settings.limit) == (1, ("ours",), 5, 0.5)


@pytest.mark.parametrize(
    "word", ["SIZE=big", "SIZE=0G", "ORDER=any", "MODE=off", "RATE=-1", "RUNS=many", "SPEED=1", "SIZE", "ONLY=a;b"]
)
def test_what_is_not_understood_is_refused(word: str) -> None:
    with pytest.raises(SettingsError, match=r"is (not understood|no number)"):
        parse([word])


@pytest.mark.parametrize(
    "words", [["ONLY=ours"], ["SIZE=512M"], ["SIZE=4G,64M"], ["SIZE=1G,4G", "ONLY=ours"], ["SIZE=", "ONLY=ours"]]
)
def test_a_trial_is_not_published_unless_asked_for(words: list[str]) -> None:
    assert parse(words).trial
    assert parse(words).report_directory != ROOT / "docs"
    assert parse([*words, f"REPORT={ROOT}/docs"]).report_directory == ROOT / "docs"


def test_some_contenders_of_what_is_large_are_published() -> None:
    assert not parse(["SIZE=4G", "ONLY=ours"]).trial
    assert not parse(["SIZE=17G", "ONLY=ours"]).trial


def test_cases_without_full_leave_out_what_says_nothing_new() -> None:
    settings = parse(["SIZE=1G"])

    assert [case for case in settings.cases() if case.order == "sorted"] == [Case("1G", "sorted", "wal", "100")]
    assert len([case for case in settings.cases() if case.order == "random"]) == 6
    assert [case.order for case in settings.cases() if settings.is_main(case)] == ["random", "sorted"]
    assert len(list(parse(["SIZE=1G", "FULL=1"]).cases())) == 12


def test_units() -> None:
    assert bytes_of("3M") == 3 * 1024**2
    assert bytes_of("17G") == 17 * 1024**3
    assert writes_a_second("100") == 100
    assert math.isinf(writes_a_second("max"))


def test_make_passes_on_every_word() -> None:
    (listed,) = re.findall(r"^BENCH_WORDS := (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

    assert set(listed.split()) == set(re.findall(r"\b([A-Z_]+)=", SYNOPSIS)) - {"NAME"}
