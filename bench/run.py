"""One call of the benchmark from beginning to end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from bench import mysql, readme, role, sqlite, startup, tools
from bench.databases import RoomError, build_missing, require_room
from bench.machine import describe, drop_caches, program_version
from bench.report import write_report
from bench.results import WHOLE, Results, newest_tables, read
from bench.settings import ROOT, SYNOPSIS, Case, Settings, SettingsError, bytes_of, parse

BUSY = 0.7
"""From this load on the report says that something else was at work."""

_SECONDS_PER_GIB = 14
"""A run's, on average over the contenders, at 300 MB/s with two cores; restores in a first round come on top."""


def main(words: Sequence[str]) -> int:
    """Do what the words ask for and return the exit code."""
    if list(words) in (["help"], ["--help"]):
        print(SYNOPSIS)
        return 0
    try:
        settings = parse(words)
        said = require_room(settings)
    except (SettingsError, RoomError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    print(said)
    if settings.install:
        tools.install(settings.directory)
    announce(settings)
    if settings.list_only:
        return 0
    if not settings.redo:
        measure(settings)
    files = sorted(_results(settings).glob("*.jsonl"))
    if not files:
        print("bench: nothing has been measured yet", file=sys.stderr)
        return 1
    tables = newest_tables(map(read, files))
    for path in write_report(tables, settings.report_directory):
        print(f"wrote {path}")
    if settings.report_directory == ROOT / "docs" and readme.update(
        ROOT / "README.md", tables, settings.report_directory
    ):
        print(f"wrote {ROOT / 'README.md'}")
    return 0


def announce(settings: Settings) -> None:
    """Say what will be measured, what is missing for the rest, and about how long it takes."""
    runs, seconds = 0, 0.0
    for case in settings.cases():
        names = [contender.name for contender in sqlite.chosen(settings, case)]
        print(f"{case}: {' '.join(names)}")
        runs += len(names) * settings.runs
        each = settings.settle + settings.after + 3 + _SECONDS_PER_GIB * bytes_of(case.size) / 1024**3
        seconds += len(names) * (settings.runs + 1.5) * each
    if settings.rows:
        print(f"MySQL, {settings.rows} rows: {' '.join(mysql.names(settings))}")
    for contender in sqlite.CONTENDERS:
        if missing := contender.missing(settings.directory):
            print(f"left out: {contender.title}, since there is no {missing} (INSTALL=1 installs it)")
    for left_out in (mysql.missing(settings), role.missing() if settings.role else None):
        if left_out:
            print(f"left out: {left_out}")
    print(f"{runs} runs on SQLite databases, about {seconds / 60:.0f} minutes where a disk writes 300 MB/s")


def measure(settings: Settings) -> None:
    """Measure everything, and append it to a new file of results."""
    began = datetime.now(UTC)
    build_missing(settings)
    results = Results(_results(settings), began.strftime("%Y%m%dT%H%M%SZ"))
    results.add(
        {
            "kind": "head",
            "at": began.isoformat(timespec="seconds"),
            "program": program_version(),
            "versions": tools.versions(settings.directory) | mysql.versions(settings),
            "machine": describe(settings.directory),
            "settle": settings.settle,
            "after": settings.after,
            "limit": settings.limit,
            "runs": settings.runs,
        }
    )
    if os.getloadavg()[0] > BUSY:
        print(f"this machine is busy (load {os.getloadavg()[0]:.1f}): what is measured now means little")
    if not drop_caches():
        print("caches cannot be dropped without root: what was read before is read from memory")
    if settings.startup:
        for run in startup.runs(settings):
            results.add(run)
            print(f"{run['contender']}: {run['seconds']} s, {run['cpu_seconds']} s of CPU", flush=True)
        results.add({"kind": WHOLE, "of": "startup"})
    if settings.role and role.missing() is None:
        for run in role.runs(settings):
            results.add(run)
            print(f"{run['contender']}: {run['seconds']} s, {run['changed']} changed", flush=True)
        results.add({"kind": WHOLE, "of": "role"})
    for case in settings.cases():
        for run in rounds(settings, case):
            results.add(run)
        results.add({"kind": WHOLE, "of": "sqlite", **vars(case)})
    for run in mysql.runs(settings):
        results.add(run)
    results.add({"kind": WHOLE, "of": "mysql"})
    print(f"raw results: {results.path}")


def rounds(settings: Settings, case: Case) -> Iterator[dict[str, Any]]:
    """Yield the runs of a case: each round has every contender once, and begins with another one."""
    contenders = sqlite.chosen(settings, case)
    print(f"\n{case}", flush=True)
    for number in range(1, settings.runs + 1):
        shift = (number - 1) * len(contenders) // settings.runs
        for contender in contenders[shift:] + contenders[:shift]:
            began = time.monotonic()
            run = sqlite.run_once(settings, case, contender, number)
            print(f"  {number}  {contender.title:30} {line_of(run)}   [{time.monotonic() - began:.0f} s]", flush=True)
            yield run


def line_of(run: dict[str, Any]) -> str:
    """Return a run's most telling figures for the terminal."""
    writes, reads = run["writes"], run["reads"]
    parts = [f"{run['seconds']:8.2f} s"]
    parts += [f"write p99 {writes['p99']:.1f} ms, {writes['failed']} failed"] if writes["count"] else []
    parts += [f"read p99 {reads['p99']:.1f} ms"] if reads["count"] else []
    parts += [f"unavailable {run['unavailable_seconds']:.1f} s"] if run["unavailable_seconds"] else []
    if run["outcome"] != "ok":
        parts.append(f"{run['outcome'].upper()}: {run['said']}")
    elif run.get("sound") is False:
        parts.append(f"NOT SOUND: {run['checked']}")
    return ", ".join(parts)


def _results(settings: Settings) -> Any:
    return settings.directory / ("trials" if settings.trial else "results")
