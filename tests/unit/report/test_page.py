"""The status page, read as a browser reads it: what a person would look for is there, and nothing else gets in."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.htmlpage import Node, read_page
from tracker_backup.report.page import render
from tracker_backup.report.pagecharts import charts, described
from tracker_backup.report.pagemodel import CopyRow, InstanceView, JobRow, Page, Problem, SourceRow, Taken
from tracker_backup.report.pagewords import (
    ago,
    axis_bytes,
    axis_seconds,
    byte_steps,
    duration,
    second_steps,
    span,
    ticks,
)

NOW = "2026-11-23T09:00:00Z"
MARKUP = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>&amp;<!-- -->]]></style></title>"
HOSTILE = f"{MARKUP}\u202e\x00\x1b[31m\ud800\n"
URLS = {"href", "src", "srcset", "action", "formaction", "data", "poster", "background", "xlink:href", "style"}

JOB = JobRow(
    name="daily",
    schedule="0 3 * * *",
    verdict="in time",
    last_id="20261123T030000Z-daily",
    last_at="2026-11-23T03:00:00Z",
    next_run="2026-11-24T03:00:00Z",
    late_after="2026-11-24T05:00:00Z",
    overdue_after="2026-11-25T05:00:00Z",
)
SOURCE = SourceRow(
    name="tracker",
    type="sqlite",
    place="/opt/torrust/tracker.db",
    verdict="in time",
    last_id="20261123T030000Z-daily",
    last_at="2026-11-23T03:00:00Z",
    newest_state="verified",
    check="quick_check ok",
    raw_bytes=2**30,
    stored_bytes=2**29,
    write_stall_seconds=1.5,
    pause_seconds=0.25,
)


def taken(day: int, **changes: object) -> Taken:
    """Return the backup of a night in November."""
    made = Taken(
        id=f"202611{day:02}T030000Z-daily",
        job="daily",
        started_at=f"2026-11-{day:02}T03:00:00Z",
        state="verified",
        good=True,
        note="",
        phases=(("copy", 1.5), ("read back", float(day))),
        raw_bytes=2**30 + day,
        stored_bytes=2**29,
        write_stall_seconds=0.5,
        pause_seconds=0.25,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def a_view(**changes: object) -> InstanceView:
    """Return the view of an instance with which all is well."""
    past = tuple(taken(day) for day in range(1, 24))
    view = InstanceView("default", "OK", (), (JOB,), (SOURCE,), past, (("Room", "enough"),))
    return replace(view, **changes)  # type: ignore[arg-type]


def page(*views: InstanceView, state: str = "OK", host: str = "tracker.example.org") -> Node:
    """Return the page of some instances."""
    return read_page(render(Page(host, NOW, "0.1.0", state, views)))


def test_it_says_at_once_whose_it_is_how_things_are_and_since_when() -> None:
    found = page(a_view())

    assert found.one("head").one("title").text() == "OK: backups of tracker.example.org"
    assert found.one("h1").text() == "Backups of tracker.example.org"
    assert found.one("header").one("time").attributes["datetime"] == NOW
    said = found.one("div", class_="verdict").text()
    assert said.startswith("OK: Every job has its verified backup.")
    assert "It holds until 2026-11-24 05:00 UTC" in said


def test_each_job_and_its_age_against_its_schedule() -> None:
    [row] = page(a_view()).one("table", aria_label="Jobs").rows()

    assert row["Job"] == "daily"
    assert row["Schedule"] == "0 3 * * *"
    assert row["Last verified backup"] == "20261123T030000Z-daily 2026-11-23 03:00 UTC"
    assert row["Age"] == "6 h ago"
    assert row["Against its schedule"].startswith("in time late after 2026-11-24 05:00 UTC")
    assert row["Next run"] == "2026-11-24 03:00 UTC"


def test_each_source_and_what_its_copy_cost() -> None:
    [row] = page(a_view()).one("table", aria_label="Sources").rows()

    assert row == {
        "Source": "tracker sqlite, /opt/torrust/tracker.db",
        "Last verified backup": "20261123T030000Z-daily 2026-11-23 03:00 UTC",
        "Age": "6 h ago in time",
        "Newest copy": "verified quick_check ok",
        "Size": "1.0 GiB",
        "Stored": "512.0 MiB",
        "Writes waited": "1.5 s",
        "Paused": "0.2 s",
    }


def test_each_copy_elsewhere_and_whether_it_is_behind() -> None:
    there = CopyRow("nas", "daily", "up to date", "20261123T030000Z-daily", "2026-11-23T03:00:00Z")
    behind = CopyRow("s3", "daily", "behind", None, None)
    rows = page(a_view(copies=(there, behind))).one("table", aria_label="Copies elsewhere").rows()

    assert [list(row.values()) for row in rows] == [
        ["nas", "daily", "20261123T030000Z-daily 2026-11-23 03:00 UTC", "6 h ago", "up to date"],
        ["s3", "daily", "none yet", "-", "behind"],
    ]


def test_the_past_is_drawn_told_and_listed() -> None:
    found = page(a_view())

    drawn = found.all("svg")
    assert [figure.one("figcaption").text() for figure in found.all("figure")] == [
        "How long it took newest 24 s",
        "Size newest 1.0 GiB",
        "What the tracker felt newest 0.8 s",
    ]
    for drawing in drawn:
        assert len(drawing.all("g")) == 23, "a bar for each backup"
        title, text = drawing.attributes["aria-labelledby"].split()
        assert drawing.one("title", id=title).text()
        assert "23 backups from 2026-11-01 to 2026-11-23" in drawing.one("desc", id=text).text()
    rows = found.one("table", aria_label="Backups, newest first").rows()
    assert [row["Backup"] for row in rows] == [f"202611{day:02}T030000Z-daily" for day in range(23, 0, -1)]
    assert rows[0]["Of that"] == "copy 1.5 s, read back 23 s"


def test_bars_are_as_high_as_what_they_stand_for() -> None:
    past = (taken(1, phases=(("copy", 2.0),)), taken(2, phases=(("copy", 4.0),)))
    drawing = page(a_view(past=past)).all("svg")[0]

    low, high = (float(bar.one("rect").attributes["height"]) for bar in drawing.all("g"))
    assert high == pytest.approx(2 * low, abs=0.02)


def test_bars_stay_in_the_drawing() -> None:
    past = tuple(taken(day % 28 + 1, phases=(("copy", day**3 / 7), ("check", 0.01))) for day in range(200))
    for drawing in page(a_view(past=past)).all("svg"):
        _, _, width, height = map(float, drawing.attributes["viewbox"].split())
        boxes = [
            {key: float(node.attributes[key]) for key in ("x", "y", "width", "height")} for node in drawing.all("rect")
        ]
        assert boxes
        assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
        assert all(box["y"] >= 0 and box["y"] + box["height"] <= height for box in boxes)
        assert len(drawing.all("g")) == 60, "the newest of them"


def test_a_backup_that_does_not_count_is_marked_for_every_reader() -> None:
    past = (taken(1), taken(2, state="partial", good=False, note="without index: it is not there"))
    found = page(a_view(past=past))

    assert [len(drawing.all("polygon", class_="bad")) for drawing in found.all("svg")] == [1, 1, 1]
    assert "1 of them does not count" in found.all("desc")[0].text()
    newest = found.one("table", aria_label="Backups, newest first").rows()[0]
    assert newest["State"] == "partial, does not count without index: it is not there"


def test_problems_stand_at_the_top() -> None:
    problems = (Problem("CRITICAL", "the repository is gone\n  mount it"), Problem("WARNING", "too little room"))
    said = page(a_view(state="CRITICAL", problems=problems), state="CRITICAL").one("div", class_="verdict")

    assert [item.text() for item in said.all("li")] == [
        "CRITICAL the repository is gone mount it",
        "WARNING too little room",
    ]
    assert "It holds until" not in said.text()


def test_several_instances_have_a_line_each_that_leads_to_them() -> None:
    found = page(a_view(), a_view(name="other", state="WARNING"), state="WARNING")

    links = found.all("a")
    assert [link.text() for link in links] == ["default", "other"]
    targets = [link.attributes["href"].removeprefix("#") for link in links]
    assert [found.one("section", id=target).one("h2").text() for target in targets] == ["default", "other"]
    assert "WARNING: 2 instances" in found.all("div", class_="verdict")[0].text()


def test_one_that_cannot_be_looked_at_says_why() -> None:
    view = InstanceView("default", "UNKNOWN", (Problem("UNKNOWN", "not valid YAML"),))
    found = page(view, state="UNKNOWN")

    assert "not valid YAML" in found.one("div", class_="verdict").text()
    assert found.all("table") == found.all("svg") == []


def test_what_was_written_last_says_so() -> None:
    found = page(a_view(sources=(), past=(), written_at="2026-11-23T03:00:12Z"))

    assert "As written 2026-11-23 03:00 UTC , 5 h ago." in found.one("div", class_="verdict").text()
    assert "who may read the repository is shown both" in found.one("main").text()


def test_without_any_backup_nothing_is_made_up() -> None:
    job = replace(JOB, verdict="none yet", last_id=None, last_at=None)
    found = page(a_view(jobs=(job,), sources=(), past=()))

    [row] = found.one("table").rows()
    assert (row["Last verified backup"], row["Age"]) == ("none yet", "-")
    assert "OK: A first backup is still to come, and not late." in found.one("div", class_="verdict").text()
    assert found.all("svg") == []


def test_ids_are_the_only_ones() -> None:
    past = (taken(1), taken(2, job="hourly"))
    found = page(a_view(past=past), a_view(name="other", past=past))

    ids = [node.attributes["id"] for node in found.walk() if "id" in node.attributes]
    assert len(ids) == len(set(ids)) > 12


def test_it_loads_nothing_and_holds_no_script() -> None:
    found = page(a_view(), a_view(name="other"))

    assert {node.tag for node in found.walk()} & {"script", "link", "img", "iframe", "object", "embed", "base"} == set()
    links = [value for node in found.walk() for name, value in node.attributes.items() if name in URLS]
    assert [link for link in links if not link.startswith("#")] == []
    style = found.one("style").text()
    assert "url(" not in style
    assert "@import" not in style
    policy = next(node for node in found.all("meta") if node.attributes.get("http-equiv") == "Content-Security-Policy")
    assert policy.attributes["content"].startswith("default-src 'none'")


def test_every_table_can_be_read_aloud() -> None:
    for table in page(a_view()).all("table"):
        assert table.attributes["aria-label"]
        assert {cell.attributes.get("scope") for cell in table.one("thead").all("th")} == {"col"}
        for row in table.one("tbody").all("tr"):
            assert [cell.attributes["scope"] for cell in row.all("th")] == ["row"]
            assert all(cell.attributes["data-label"] for cell in row.all("td"))


def test_dark_and_narrow_are_provided_for() -> None:
    found = page(a_view())
    style = found.one("style").text()

    assert found.attributes["lang"] == "en"
    assert "prefers-color-scheme: dark" in style
    assert any(node.attributes.get("name") == "viewport" for node in found.all("meta"))
    colours = re.search(r":root \{(.*?)\}.*?:root \{(.*?)\}", style, re.DOTALL)
    assert colours
    light, dark = (set(re.findall(r"--[\w-]+", group)) for group in colours.groups())
    assert light == dark, "each colour has its dark one"


@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_told_from_its_ground(dark: bool) -> None:
    """By the ratio that the Web Content Accessibility Guidelines ask for."""
    style = page(a_view()).one("style").text()
    found = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[dark]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", found))

    pairs = [("ink", "page"), ("ink", "card"), ("soft", "page"), ("soft", "card")]
    pairs += [(state, f"{state}-fill") for state in ("ok", "warning", "critical", "unknown")]
    pairs += [("critical", "card"), ("ink", "fill")]
    contrasts = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
    assert {pair: ratio for pair, ratio in contrasts.items() if ratio < 4.5} == {}


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, as those guidelines reckon it."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def hostile_view(text: str) -> InstanceView:
    """Return a view in which everything that comes from elsewhere is that text."""
    job = replace(JOB, name=text, schedule=text, verdict=text, last_id=text)
    source = replace(
        SOURCE, name=text, type=text, place=text, last_id=text, newest_state=text, check=text, verdict=text
    )
    past = tuple(
        replace(
            taken(day), id=text, job=text, state=text, note=text, good=good, phases=((text, 1.0), (text + "2", 2.0))
        )
        for day, good in ((1, True), (2, False))
    )
    return InstanceView(text, "WARNING", (Problem("WARNING", text),), (job,), (source,), past, ((text, text),))


def shape(node: Node) -> list[object]:
    """Return the elements of a page and the names of their attributes."""
    return [node.tag, sorted(node.attributes), [shape(child) for child in node.children if isinstance(child, Node)]]


def test_hostile_text_stays_text() -> None:
    found = page(hostile_view(HOSTILE), hostile_view("x"), state="WARNING", host=HOSTILE)
    harmless = page(hostile_view("plain"), hostile_view("x"), state="WARNING", host="plain")

    assert shape(found) == shape(harmless)
    text = found.text()
    assert "<script>alert(1)</script>" in text
    assert "\\u202e" in text
    assert not {"\u202e", "\x00", "\x1b", "\ud800"} & set(text)


@given(text=st.text(max_size=60))
def test_any_text_stays_text(text: str) -> None:
    """Line breaks of problems are the only ones that become an element."""
    view = replace(hostile_view(text), problems=())
    harmless = replace(hostile_view("plain"), problems=())

    rendered = render(Page(text, NOW, "0.1.0", "OK", (view,)))

    assert rendered.encode()
    assert shape(read_page(rendered)) == shape(page(harmless))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "under a minute"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (100000, "27 h"), (200000, "2 d")],
)
def test_spans(seconds: float, said: str) -> None:
    assert span(seconds) == said


def test_ages_have_a_direction() -> None:
    assert ago("2026-11-23T03:00:00Z", NOW) == "6 h ago"
    assert ago("2026-11-24T03:00:00Z", NOW) == "in 18 h"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0.0 s"), (9.44, "9.4 s"), (110, "110 s"), (416, "7 min"), (9000, "2.5 h")]
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@given(most=st.floats(min_value=0.001, max_value=1e6))
def test_an_axis_of_seconds_has_a_few_lines_and_holds_all(most: float) -> None:
    found = ticks(most, second_steps)

    assert found[-1] >= most
    assert 2 <= len(found) <= 6
    assert len({axis_seconds(value) for value in found}) == len(found)


@given(most=st.integers(min_value=1, max_value=2**50))
def test_an_axis_of_sizes_has_a_few_lines_and_holds_all(most: int) -> None:
    found = ticks(most, byte_steps)

    assert found[-1] >= most
    assert 2 <= len(found) <= 6
    assert len({axis_bytes(value) for value in found}) == len(found)


def test_a_chart_in_words() -> None:
    past = [taken(1), taken(2, phases=(("copy", 100.0),)), taken(3)]

    assert described(charts(past)[0], past) == (
        "3 backups from 2026-11-01 to 2026-11-03. Newest: 4.5 s (copy 1.5 s, read back 3.0 s). "
        "Least: 2.5 s. Most: 100 s, on 2026-11-02."
    )
