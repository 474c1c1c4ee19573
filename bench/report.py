"""docs/benchmarks.md and its charts, from the raw results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.cells import (
    Column,
    against,
    latencies,
    markdown,
    median,
    most,
    number,
    of_contenders,
    reads,
    unavailable,
    verdict,
)
from bench.charts import TITLES, charted, draw, legend
from bench.dumps import CONTENDERS as DUMPS
from bench.results import Run, Table, value_of
from bench.settings import GIB, MIB
from bench.targets import NOT_MET, TARGETS

NAME = "benchmarks.md"
_INTRODUCTION = """\
# Benchmarks

Written by `make bench` on {date}; [CONTRIBUTING](../CONTRIBUTING.md#the-benchmark) says how to run it. Every table is
of one run of that command, in which the contenders took turns. Figures are medians of the rounds, and only the ratios
within a table mean anything on another machine.
"""
_HOW = """\
## How it was measured

A writer commits an upsert of a torrent and a counter, as the tracker does, and a reader looks up torrents of a hot set
300 times a second; both are processes of their own that log each latency. Caches are dropped before each run. The
seconds of a contender end when `sync` has returned, for all of them. "Unavailable" is the time in which no write came
through, counting what lasted longer than a second, or for which the contender stopped the tracker. The tracker is no
container here: where ours pauses one, a stand-in for `docker` stops the writer's process in the place of Docker. Memory
is the most anonymous memory of all its processes at one moment. What it stored is restored and read in full: SQLite's
integrity check, and that each write is in it wholly or not at all. A copy that is not sound is no backup, however quick
it was; `cp` may be lucky with a small file.
"""


def write_report(tables: Sequence[Table], directory: Path) -> list[Path]:
    """Write the document and its charts, and return their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    charts = [chart for name, table in charted(tables).items() for chart in draw(table, directory, name)]
    (directory / NAME).write_text(document(tables, charts), encoding="utf-8")
    return [directory / NAME, *charts]


def document(tables: Sequence[Table], charts: Sequence[Path] = ()) -> str:
    """Return the document."""
    newest = max(tables, key=lambda table: str(table.head["at"])).head
    parts = [_INTRODUCTION.format(date=str(newest["at"])[:10])]
    parts += [_machine(newest), _targets(tables)]
    parts += [f"![{legend(chart)}]({chart.name})\n" for chart in charts]
    for table in tables:
        parts.append({"sqlite": _sqlite, "mysql": _mysql, "startup": _startup, "role": _role}[table.kind](table))
    parts.append(_HOW)
    return "\n".join(parts)


def _machine(head: Run) -> str:
    machine = head["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(head["versions"].items()))
    rows = [
        ("program", head["program"]),
        ("machine", f"{machine['cores']} cores ({machine['processor']}), {machine['memory_bytes'] / GIB:.0f} GiB"),
        ("system", f"{machine['system']}, kernel {machine['kernel']}"),
        ("disk", f"{machine['file_system']} on {machine['disk']}"),
        ("load before", f"{machine['load_average']:.1f}"),
        ("versions", versions),
    ]
    return markdown(["", ""], [list(row) for row in rows])


def _targets(tables: Sequence[Table]) -> str:
    rows = []
    for target in TARGETS:
        values = target.values(tables)
        said = "; ".join(f"{where}: {number(value)}".removeprefix(": ") for where, value in values)
        rows.append([target.what, f"{number(target.at_most)}{target.unit}", said or "-", target.verdict(tables)])
    missed = [target for target in TARGETS if target.verdict(tables) == NOT_MET and target.why]
    reasons = "".join(f"\n- {target.what}: {target.why}" for target in missed)
    listed = f"\nWhat is not met, and why:\n{reasons}\n" if missed else ""
    return "## Targets\n\n" + markdown(["what", "at most", "measured", ""], rows) + listed


_SQLITE: tuple[Column, ...] = (
    ("seconds", median("seconds")),
    ("of cp's", against("seconds", "cp")),
    ("writes p50 / p99 / max ms", latencies),
    ("failed writes", most("writes.failed")),
    ("reads p99 ms, during / after", reads),
    ("unavailable s", unavailable),
    ("memory MiB", most("anonymous_bytes", MIB)),
    ("CPU s", median("cpu_seconds")),
    ("stored MiB", median("stored_bytes", MIB)),
    ("restore s", median("restore_seconds")),
    ("sound", verdict),
)
_MYSQL: tuple[Column, ...] = (
    ("seconds", median("seconds")),
    ("of the client's alone", against("seconds", "client")),
    ("dump and compression s", median("copy_seconds")),
    ("memory MiB", most("anonymous_bytes", MIB)),
    ("CPU s", median("cpu_seconds")),
    ("the server's", median("server_cpu_seconds")),
    ("stored MiB", median("stored_bytes", MIB)),
    ("restore s", median("restore_seconds")),
    ("sound", verdict),
)


def _sqlite(table: Table) -> str:
    rounds = max(int(run["round"]) for run in table.runs)
    size = value_of(table.runs[0], "source_bytes") or 0
    taken = f"{rounds} round{'s' if rounds > 1 else ''}, {str(table.head['at'])[:10]}, {table.head['program']}"
    words = f"{size / MIB:.0f} MiB, {taken}"
    cold = all(run["caches_dropped"] for run in table.runs)
    words += "." if cold else ". Caches could not be dropped."
    if left_out := [title for name, title in TITLES.items() if name not in table.contenders]:
        words += f" Not measured in this case: {', '.join(left_out)}."
    return f"## {table.case}\n\n{words}\n\n{of_contenders(table, TITLES, _SQLITE)}"


def _mysql(table: Table) -> str:
    run = table.runs[0]
    titles = {contender.name: contender.title for contender in DUMPS}
    apart = " Server and client had the first core, all else the second." if run["apart"] else ""
    words = f"{run['rows']} torrents, {str(table.head['at'])[:10]}.{apart}"
    return f"## {str(run['flavour']).replace('mysql-', 'MySQL ')}\n\n{words}\n\n{of_contenders(table, titles, _MYSQL)}"


def _startup(table: Table) -> str:
    columns: tuple[Column, ...] = (("seconds", median("seconds")), ("CPU s", median("cpu_seconds")))
    return f"## Start-up\n\n{of_contenders(table, {}, columns)}"


def _role(table: Table) -> str:
    columns: tuple[Column, ...] = (
        ("seconds", median("seconds")),
        ("CPU s", median("cpu_seconds")),
        ("changed", most("changed")),
    )
    words = (
        "Hosts are directories of this machine, without SSH between, so that what ten of them do is done by its cores "
        "alone. The role looks at everything that it has put on a host, each time, since others may have changed it: "
        "some thirty tasks, each of which costs Ansible about as much as a `copy`."
    )
    return f"## The role on a host where nothing is left to do\n\n{words}\n\n{of_contenders(table, {}, columns)}"
