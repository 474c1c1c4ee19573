"""A record is one line, whatever is in it: for people, as logfmt, as JSON; and what is read back is what was meant."""

from __future__ import annotations

import json
import logging
import syslog
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.logs import parse_logfmt
from tracker_backup.system.logformat import JSON, LOGFMT, TEXT, as_json, as_logfmt
from tracker_backup.system.logs import LOGGER, logs_open, run_named, tell

FORMS = [TEXT, LOGFMT, JSON]
RUN = "20261128T203350Z-daily"
HOSTILE = [
    "a\nb", "a\r\nb", "\x1b[2J", "a\u2028b", "a\x85b", "\u202egpj", "\udcff", "\0", 'say "x"', "\\", "a=b c=d", "", " ",
    "2026-11-28T20:33:50+0000 ERROR [1] run=20261128T203350Z-daily forged", 'x" run="forged', "%s%n{0}", "\U000e0001",
    f"gone\n2026-11-28T20:33:50+0000 INFO [1] run={RUN} job=daily exit=0 all is well",
    '"}\n{"run": "forged"}',
]  # fmt: skip


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What arrives at the journal."""
    lines: list[str] = []
    monkeypatch.setattr(syslog, "openlog", lambda *_: None)
    monkeypatch.setattr(syslog, "syslog", lambda _, text: lines.append(text))
    yield lines
    LOGGER.propagate = True


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text(max_size=40) | st.integers()))
def test_what_is_written_reads_back(facts: dict[str, str | int]) -> None:
    for line in (as_logfmt(facts), as_json(facts)):
        assert line.isprintable()
    assert json.loads(as_json(facts)) == facts
    assert parse_logfmt(as_logfmt(facts)) == {name: str(value) for name, value in facts.items()}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("word", "a=word"), ("/srv/a-b_c.d:1", "a=/srv/a-b_c.d:1"), (5, "a=5"), (0.5, "a=0.500"), ("", 'a=""'),
        ("two words", 'a="two words"'), ("x=y", 'a="x=y"'), ('"', 'a="\\""'), ("\\", 'a="\\\\"'), ("a\nb", 'a="a\\nb"'),
        ("für", 'a="für"'), ("\x1b", 'a="\\u001b"'), ("\u202e", 'a="\\u202e"'),
    ],
)  # fmt: skip
def test_logfmt_quotes_what_is_more_than_a_word(value: str | float, written: str) -> None:
    assert as_logfmt({"a": value}) == written


@pytest.mark.guarantee(14)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_nobodys_name_makes_an_entry_of_its_own(tmp_path: Path, journal: list[str], form: str, text: str) -> None:
    file = tmp_path / "default.log"
    with logs_open(file, "default", form), run_named(RUN):
        LOGGER.warning("cannot read %s", text)
        tell(logging.ERROR, text, job="daily", exit=1)

    lines = file.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    assert all(line.isprintable() for line in [*lines, *journal])
    assert len(journal) == 2
    assert all(f"{RUN}" in line for line in [*lines, *journal])
    if form == TEXT:
        entries = [line for line in lines if not line.startswith("    ")]
        assert all(line.startswith(f"    run={RUN}") for line in lines if line not in entries)
        assert len(entries) == 2
        assert all(line.startswith(f"default: run={RUN} ") for line in journal)
        return
    assert [read(line, form).get("msg", "") for line in lines] == [f"cannot read {text}", text]
    for line in [*lines, *journal]:
        assert read(line, form)["run"] == RUN
        assert read(line, form)["instance"] == "default"


def read(line: str, form: str) -> dict[str, object]:
    if form == JSON:
        found: dict[str, object] = json.loads(line)
        return found
    return dict(parse_logfmt(line))


@pytest.mark.parametrize("form", FORMS)
def test_where_an_error_comes_from_is_in_its_run_as_well(tmp_path: Path, journal: list[str], form: str) -> None:
    file = tmp_path / "default.log"
    with logs_open(file, "default", form), run_named(RUN):
        try:
            raise ValueError("two\nlines")
        except ValueError as error:
            LOGGER.info("an internal error comes from here:", exc_info=error)

    lines = file.read_text(encoding="utf-8").splitlines()
    assert "Traceback" in "".join(lines)
    assert all(RUN in line for line in [*lines, *journal])
    assert len(journal) == 1
    assert len(lines) == 1 or form == TEXT


@pytest.mark.parametrize("form", FORMS)
def test_what_belongs_to_no_run_names_none(tmp_path: Path, journal: list[str], form: str) -> None:
    file = tmp_path / "default.log"
    with logs_open(file, "default", form):
        with run_named(RUN), run_named("20261128T203351Z-inner"):
            LOGGER.info("inside")
        LOGGER.info("outside")

    inside, outside = file.read_text(encoding="utf-8").splitlines()
    assert "20261128T203351Z-inner" in inside
    assert "run" not in outside
    assert "outside" in outside


def test_an_instance_of_any_name_can_be_told_of(tmp_path: Path, journal: list[str]) -> None:
    """What stands on the command line goes to the journal before anybody has looked at it."""
    with logs_open(tmp_path / "x.log", "100%s%(name)d"):
        LOGGER.error("no such instance")

    assert journal == ["100%s%(name)d: no such instance"]
