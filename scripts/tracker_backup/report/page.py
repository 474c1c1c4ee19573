"""A status page: one HTML file that needs nothing else, and says to a person what `status` says, and how it came to be.

A pure function of what is to be shown. It holds no script and loads nothing, and says so to the browser as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from tracker_backup.report.markup import append, document, element
from tracker_backup.report.pagecharts import charts, figure
from tracker_backup.report.pagemodel import NEVER, OK
from tracker_backup.report.pagestyle import STYLE
from tracker_backup.report.pagetables import copy_table, facts, job_table, past_table, source_table
from tracker_backup.report.pagewords import ago, duration, time_element
from tracker_backup.system.space import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker_backup.report.pagemodel import InstanceView, Page, Problem, Taken

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_HEADLINES = {
    "OK": "Every job has its verified backup.",
    "WARNING": "Something is not as it should be.",
    "CRITICAL": "There is no backup to rely on, or none can be made.",
    "UNKNOWN": "Nobody can tell how the backups are.",
}
_SHOWN = 60
"""So many backups of a job are in its charts, the newest."""


def render(page: Page) -> str:
    """Return the page's HTML."""
    style = Element("style")
    style.text = STYLE
    title = f"{page.state}: backups of {page.host}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="robots", content="noindex"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("title", title),
        style,
    )
    main = element("main")
    alone = len(page.instances) == 1
    if not alone:
        main.append(_all(page))
    for number, view in enumerate(page.instances):
        append(main, _instance(view, page.made_at, f"i{number}", alone=alone))
    body = element("body", _header(page), main, _footer(page))
    return document(element("html", head, body, lang="en"))


def _header(page: Page) -> Element:
    made = element("p", "As it was at ", time_element(page.made_at), class_="soft")
    return element("header", element("h1", f"Backups of {page.host}"), made)


def _footer(page: Page) -> Element:
    advice = "This page does not change by itself: "
    words = element("code", "tracker-backup status --html FILE")
    return element(
        "footer", element("p", advice, words, f" makes it anew. tracker-backup {page.version}, all times UTC.")
    )


def _all(page: Page) -> Element:
    """Return one line for each of several instances, with the way to it."""
    items = [
        element("li", _tag(view.state), " ", element("a", view.name or "an instance", href=f"#i{number}"))
        for number, view in enumerate(page.instances)
    ]
    said = element("p", f"{page.state}: {len(page.instances)} instances", class_="state")
    return element("div", said, element("ul", *items), class_=f"verdict {page.state.lower()}")


def _instance(view: InstanceView, now: str, key: str, *, alone: bool) -> Iterator[Element]:
    section = element("section", id=key)
    if not alone:
        section.append(element("h2", view.name or "an instance"))
    section.append(_verdict(view, now))
    if view.jobs:
        section.append(_tiles(view, now))
    yield section
    if view.jobs:
        yield _card("Jobs", job_table(view.jobs, now))
    if view.sources:
        yield _card("Sources", source_table(view.sources, now))
    elif view.written_at is not None and view.jobs:
        hint = "What was written last has no sources and no past in it; who may read the repository is shown both."
        yield element("p", hint, class_="soft")
    if view.copies:
        yield _card("Copies elsewhere", copy_table(view.copies, now))
    yield from _past(view, key)
    if view.facts:
        yield _card("More", facts(view.facts))


def _verdict(view: InstanceView, now: str) -> Element:
    box = element("div", class_=f"verdict {view.state.lower()}")
    box.append(element("p", f"{view.state}: {_headline(view)}", class_="state"))
    if view.written_at is not None:
        box.append(element("p", "As written ", time_element(view.written_at), f", {ago(view.written_at, now)}."))
    if view.problems:
        box.append(element("ul", *map(_problem, view.problems)))
    late = min((job.late_after for job in view.jobs if job.late_after is not None), default=None)
    if view.state == OK and late is not None:
        box.append(element("p", "It holds until ", time_element(late), ": by then the next backup should be there."))
    return box


def _headline(view: InstanceView) -> str:
    if view.state == OK and any(job.verdict == NEVER for job in view.jobs):
        return "A first backup is still to come, and not late."
    return _HEADLINES[view.state]


def _problem(problem: Problem) -> Element:
    item = element("li", _tag(problem.level), " ")
    for number, line in enumerate(problem.text.splitlines()):
        append(item, [*([element("br")] if number else []), line.strip()])
    return item


def _tiles(view: InstanceView, now: str) -> Element:
    dated = [job.last_at for job in view.jobs if job.last_at is not None]
    coming = [job.next_run for job in view.jobs if job.next_run is not None]
    tiles = [
        _tile("Newest verified backup", ago(max(dated), now) if dated else "none yet", max(dated, default="")),
        _tile("Next run", ago(min(coming), now) if coming else "by hand only", min(coming, default="")),
    ]
    newest = next((taken for taken in reversed(view.past) if taken.good), None)
    if newest is not None:
        felt = newest.write_stall_seconds + newest.pause_seconds
        raw = f"{format_bytes(newest.raw_bytes)} raw"
        tiles.append(_tile("Stored", format_bytes(newest.stored_bytes), words=raw))
        tiles.append(_tile("The tracker waited", duration(felt), words=f"of {duration(newest.seconds)} that it took"))
    return element("dl", *tiles, class_="tiles")


def _tile(name: str, value: str, time: str = "", words: str = "") -> Element:
    below = [element("span", time_element(time), class_="soft")] if time else []
    below += [element("span", words, class_="soft")] if words else []
    return element(
        "div", element("dt", name), element("dd", element("span", value, class_="value"), *below), class_="tile"
    )


def _past(view: InstanceView, key: str) -> Iterator[Element]:
    """Return each job's charts, and the same as a table."""
    for number, job in enumerate(dict.fromkeys(taken.job for taken in view.past)):
        of_job = [taken for taken in view.past if taken.job == job][-_SHOWN:]
        drawn = [figure(chart, of_job, f"{key}-{number}") for chart in charts(of_job)]
        card = _card(f"Backups of {job}", element("div", *drawn, class_="charts"))
        if not all(taken.good for taken in of_job):
            mark = element("span", "▲", class_="mark", aria_hidden="true")
            card.append(element("p", mark, " marks a backup that does not count: the table says why.", class_="soft"))
        card.append(_table_of(of_job, job))
        yield card


def _table_of(past: list[Taken], job: str) -> Element:
    counted = "The backup" if len(past) == 1 else f"These {len(past)} backups"
    scroll = element(
        "div", past_table(past), class_="scroll", tabindex="0", role="region", aria_label=f"Backups of {job}"
    )
    return element("details", element("summary", f"{counted} as a table"), scroll)


def _card(title: str, *children: Element) -> Element:
    return element("section", element("h3", title), *children, class_="card")


def _tag(state: str) -> Element:
    return element("span", state, class_=f"tag {state.lower()}")
