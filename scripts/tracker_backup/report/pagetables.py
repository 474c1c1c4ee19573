"""The tables of a status page. On a phone each row is a card, so cells carry their column's name, and their role."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from tracker_backup.report.markup import element
from tracker_backup.report.pagemodel import BEHIND, IN_TIME, LATE, NEVER, THERE, UNSCHEDULED
from tracker_backup.report.pagewords import ago, duration, time_element
from tracker_backup.system.space import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker_backup.report.markup import Child
    from tracker_backup.report.pagemodel import CopyRow, JobRow, SourceRow, Taken

_CLASSES = {
    IN_TIME: "ok", THERE: "ok", LATE: "warning", BEHIND: "warning", NEVER: "unknown", UNSCHEDULED: "unknown",
}  # fmt: skip
"""How a verdict is coloured; one that is not here is critical."""
_UNKNOWN = "-"


def job_table(jobs: Iterable[JobRow], now: str) -> Element:
    """Return the jobs: the newest backup of each, and how its age stands against the schedule."""
    heading = ("Job", "Schedule", "Last verified backup", "Age", "Against its schedule", "Next run")
    return _table(heading, [_job(job, now) for job in jobs], "Jobs", class_="cards")


def _job(job: JobRow, now: str) -> list[list[Child]]:
    limits: list[Child] = [_verdict(job.verdict)]
    if job.late_after is not None and job.overdue_after is not None:
        limits.append(element("span", "late after ", time_element(job.late_after), class_="soft"))
        limits.append(element("span", "overdue after ", time_element(job.overdue_after), class_="soft"))
    return [
        [job.name],
        [element("code", job.schedule) if job.schedule is not None else "by hand only"],
        _backup(job.last_id, job.last_at),
        [ago(job.last_at, now) if job.last_at is not None else _UNKNOWN],
        [element("div", *limits)],
        [time_element(job.next_run) if job.next_run is not None else _UNKNOWN],
    ]


def source_table(sources: Iterable[SourceRow], now: str) -> Element:
    """Return the sources: the newest backup with a good copy of each, and what its newest copy is."""
    heading = ("Source", "Last verified backup", "Age", "Newest copy", "Size", "Stored", "Writes waited", "Paused")
    return _table(heading, [_source(source, now) for source in sources], "Sources", class_="cards")


def _source(source: SourceRow, now: str) -> list[list[Child]]:
    place = element("span", ", ".join(filter(None, (source.type, source.place))), class_="soft")
    age = element("div", f"{ago(source.last_at, now)} " if source.last_at is not None else "", _verdict(source.verdict))
    return [
        [element("div", source.name, place)],
        _backup(source.last_id, source.last_at),
        [age],
        [element("div", source.newest_state, element("span", source.check, class_="soft"))],
        [_plain(format_bytes(source.raw_bytes))],
        [_plain(format_bytes(source.stored_bytes))],
        [_plain(duration(source.write_stall_seconds))],
        [_plain(duration(source.pause_seconds))],
    ]


def copy_table(copies: Iterable[CopyRow], now: str) -> Element:
    """Return the copies elsewhere: the newest backup of each job that is there."""
    heading = ("Copy", "Job", "Newest backup there", "Age", "State")
    rows: list[list[list[Child]]] = [
        [
            [copy.name],
            [copy.job],
            _backup(copy.last_id, copy.last_at),
            [ago(copy.last_at, now) if copy.last_at is not None else _UNKNOWN],
            [_verdict(copy.verdict)],
        ]
        for copy in copies
    ]
    return _table(heading, rows, "Copies elsewhere", class_="cards")


def past_table(past: Sequence[Taken]) -> Element:
    """Return a job's backups, the newest first."""
    heading = ("Backup", "State", "Took", "Of that", "Raw", "Stored", "Writes waited", "Paused")
    rows: list[list[list[Child]]] = [
        [
            [taken.id],
            _state(taken),
            [_plain(duration(taken.seconds))],
            [", ".join(f"{name} {duration(seconds)}" for name, seconds in taken.phases) or _UNKNOWN],
            [_plain(format_bytes(taken.raw_bytes))],
            [_plain(format_bytes(taken.stored_bytes))],
            [_plain(duration(taken.write_stall_seconds))],
            [_plain(duration(taken.pause_seconds))],
        ]
        for taken in reversed(past)
    ]
    return _table(heading, rows, "Backups, newest first")


def _state(taken: Taken) -> list[Child]:
    if taken.good:
        return [taken.state]
    mark = element("strong", f"{taken.state}, does not count", class_="critical")
    return [element("div", mark, element("span", taken.note, class_="soft"))]


def facts(found: Iterable[tuple[str, str]]) -> Element:
    """Return names, and what there is to say under each."""
    return element(
        "dl", *(element(*pair) for name, text in found for pair in (("dt", name), ("dd", text))), class_="facts"
    )


def _table(heading: Sequence[str], rows: Sequence[Sequence[Sequence[Child]]], name: str, class_: str = "") -> Element:
    """Return a table; roles are named, since what is no table to look at would else be none to a screen reader."""
    cells = [element("th", title, scope="col", role="columnheader") for title in heading]
    head = element("thead", element("tr", *cells, role="row"), role="rowgroup")
    body = element("tbody", *(_row(heading, row) for row in rows), role="rowgroup")
    return element("table", head, body, role="table", aria_label=name, class_=class_)


def _row(heading: Sequence[str], row: Sequence[Sequence[Child]]) -> Element:
    first, *rest = row
    cells = [element("th", *first, scope="row", role="rowheader")]
    cells += [
        element("td", *cell, role="cell", data_label=title) for title, cell in zip(heading[1:], rest, strict=True)
    ]
    return element("tr", *cells, role="row")


def _plain(words: str) -> Element:
    """Return what stays on one line."""
    return element("span", words, class_="plain")


def _backup(identifier: str | None, moment: str | None) -> list[Child]:
    if identifier is None or moment is None:
        return ["none yet"]
    return [element("div", element("code", identifier), element("span", time_element(moment), class_="soft"))]


def _verdict(verdict: str) -> Element:
    return element("span", verdict, class_=f"tag {_CLASSES.get(verdict, 'critical')}")
