"""Tables of text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.instance import a_manifest, an_artifact
from tracker_backup.report.tables import artifact_table, backup_table, check_words, table
from tracker_backup.repository.store import Backup

cells = st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


@given(rows=st.lists(st.tuples(cells, cells, cells), max_size=6))
def test_columns_begin_where_their_heading_does(rows: list[tuple[str, str, str]]) -> None:
    heading, *lines = table(("A", "B", "C"), rows).splitlines()

    second, third = heading.index("B"), heading.index("C")
    assert [(line[:second].rstrip(), line[second:third].rstrip(), line[third:]) for line in lines] == rows
    assert all(line == line.rstrip() for line in lines)


def test_a_backup_is_a_line() -> None:
    manifest = a_manifest(sources=["tracker", "index"], seconds={"copy": 1.25, "check": 2})
    lines = backup_table([Backup(manifest.id, Path("/x"), manifest)]).splitlines()

    assert lines[0].split()[:3] == ["ID", "STATE", "SOURCES"]
    assert lines[1].split() == [
        "20261122T030000Z-daily",
        "verified",
        "tracker,index",
        "2.0",
        "KiB",
        "800",
        "B",
        "3.2",
        "0.0",
        "s",
        "0.0",
        "s",
    ]


def test_an_unreadable_backup_says_why_without_widening_the_table() -> None:
    problem = "cannot read /var/backups/tracker-backup/default/x/manifest.json: No such file or directory"
    heading, line, below = backup_table([Backup("x", Path("/x"), None, problem)]).splitlines()

    assert line == "x   unreadable"
    assert below == f"x is unreadable: {problem}"
    assert len(heading) < 80


def test_what_a_copy_cost_is_in_the_table() -> None:
    artifact = an_artifact(write_stall_seconds=1.5, pause_seconds=12.25, method="paused")
    line = artifact_table(a_manifest(artifacts=(artifact,))).splitlines()[1]

    assert "0.1 s (paused)" in line
    assert line.rstrip().endswith("1.5 s        12.2 s")


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ((), "not checked"),
        (({"check": "quick_check", "ok": True},), "quick_check ok"),
        (({"check": "integrity_check", "ok": False},), "integrity_check FAILED"),
        (({"check": "quick_check", "ok": None},), "quick_check cannot tell"),
        (({"check": "quick_check", "ok": ["?"]},), "quick_check cannot tell"),
        (({},), "None cannot tell"),
    ],
)
def test_a_check_in_words(checks: tuple[dict[str, object], ...], expected: str) -> None:
    assert check_words(an_artifact(checks=checks)) == expected
