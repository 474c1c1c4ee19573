"""What the program is to reach, as data; every ratio is within one run of the benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bench.figures import ratio
from bench.results import Table
from bench.role import AGAIN, ALONE, FLEET
from bench.settings import MIB, bytes_of, words_of_size

NOT_MET = "**not met**"
OURS = ("ours-copy", "ours", "ours-scheduled", "ours-weekly")
Measured = tuple[str, float | None]
"""Where it was measured, in words, and the value; None where what it is compared with does not exist."""


@dataclass(frozen=True)
class Where:
    """The cases in which a target holds; None is any."""

    mode: str | None = None
    rate: str | None = None
    at_least: str | None = None
    at_most: str | None = None
    kind: str = "sqlite"

    def holds(self, table: Table) -> bool:
        """Return whether it holds in a table's case."""
        case = table.case
        if table.kind != self.kind or case is None:
            return table.kind == self.kind
        size = bytes_of(case.size)
        return (
            self.mode in (None, case.mode)
            and self.rate in (None, case.rate)
            and (self.at_least is None or size >= bytes_of(self.at_least))
            and (self.at_most is None or size <= bytes_of(self.at_most))
        )


@dataclass(frozen=True)
class Target:
    """One: `measure` finds its values in all tables, each of which must be at most `at_most`.

    `why` says what stands in its way, for where it is missed.
    """

    what: str
    at_most: float
    measure: Callable[[Iterable[Table]], Iterator[Measured]]
    unit: str = ""
    why: str = ""

    def values(self, tables: Iterable[Table]) -> list[tuple[str, float]]:
        """Return the values that there are."""
        return [(where, value) for where, value in self.measure(tables) if value is not None]

    def verdict(self, tables: Iterable[Table]) -> str:
        """Return `met`, `not met` or `not measured`."""
        values = self.values(tables)
        if not values:
            return "not measured"
        return "met" if all(value <= self.at_most for _, value in values) else NOT_MET


def compared(
    figure: str, of: str, to: str, where: Where | None = None
) -> Callable[[Iterable[Table]], Iterator[Measured]]:
    """Return what measures a figure of one contender as a multiple of another's; `a/b` compares b's other figure."""
    figure, _, other = figure.partition("/")

    def measure(tables: Iterable[Table]) -> Iterator[Measured]:
        for table in _where(tables, where):
            yield _short(table), ratio(table.median(of, figure), table.median(to, other or figure))

    return measure


def largest(
    figure: str, of: tuple[str, ...], where: Where, scale: float = 1
) -> Callable[[Iterable[Table]], Iterator[Measured]]:
    """Return what measures the largest value of a figure among contenders and rounds, in units of `scale`."""

    def measure(tables: Iterable[Table]) -> Iterator[Measured]:
        for table in _where(tables, where):
            values = [value for name in of if (value := table.most(name, figure)) is not None]
            yield _short(table), max(values) / scale if values else None

    return measure


def growth(figure: str, of: str, where: Where) -> Callable[[Iterable[Table]], Iterator[Measured]]:
    """Return what measures a figure at the largest size as a multiple of that at the smallest."""

    def measure(tables: Iterable[Table]) -> Iterator[Measured]:
        by_order: dict[str, list[Table]] = {}
        for table in _where(tables, where):
            if table.case is not None and table.most(of, figure) is not None:
                by_order.setdefault(table.case.order, []).append(table)
        for order, found in by_order.items():
            small, *_, large = [*found, found[-1]]
            if small.case is not None and large.case is not None and small.case.size != large.case.size:
                words = f"{words_of_size(large.case.size)} to {words_of_size(small.case.size)}, {order}"
                yield words, ratio(large.most(of, figure), small.most(of, figure))

    return measure


def of_startup(contender: str, figure: str) -> Callable[[Iterable[Table]], Iterator[Measured]]:
    """Return what measures a figure of start-up."""

    def measure(tables: Iterable[Table]) -> Iterator[Measured]:
        for table in tables:
            if table.kind == "startup" and contender in table.contenders:
                yield "", table.median(contender, figure)

    return measure


def _where(tables: Iterable[Table], where: Where | None) -> Iterator[Table]:
    return (table for table in tables if (where or Where()).holds(table))


def _short(table: Table) -> str:
    """Return a case in few words."""
    case = table.case
    if case is None:
        return ""
    mode = "" if case.mode == "wal" else ", rollback"
    rate = "" if case.rate == "100" else f", {case.rate} writes/s"
    return f"{words_of_size(case.size)} {case.order}{mode}{rate}"


_LIVE = Where("wal", "100", at_least="1G")
_MYSQL = Where(kind="mysql")
_ROLE = Where(kind="role")
_SMALL = Where("wal", "100", at_least="1G", at_most="4G")

TARGETS = (
    Target(
        "live copy in WAL mode under 100 writes/s, as a multiple of `cp` + `sync`, from 4 GiB up",
        0.8,
        compared("seconds", "ours-copy", "cp", Where("wal", "100", at_least="4G")),
    ),
    Target(
        "the same at 1 GiB, where `cp` lives off the page cache",
        1.5,
        compared("seconds", "ours-copy", "cp", Where("wal", "100", at_least="1G", at_most="1G")),
    ),
    Target(
        "writer's p99 during the copy, as a multiple of that during `cp`",
        0.35,
        compared("writes.p99", "ours-copy", "cp", _LIVE),
    ),
    Target(
        "reader's p99 on a hot set during the copy, as a multiple of that with none running",
        1.5,
        compared("reads.p99", "ours-copy", "none", _LIVE),
        why="copying uses one core and flushing the other, and one read in a hundred waits for its turn, less than a "
        "millisecond.",
    ),
    Target("the same in the seconds after the copy", 1.5, compared("reads_after.p99", "ours-copy", "none", _LIVE)),
    Target("failed writes, in any round", 0, largest("writes.failed", OURS, Where(at_least="1G"))),
    Target(
        "whole run at production size, as a multiple of `cp` + `sync`",
        2.5,
        compared("seconds", "ours", "cp", Where("wal", at_least="17G")),
        why="`cp` waits for the disk alone. Compression, hashes and check take processor time for each byte, and two "
        "cores do no more of it at once.",
    ),
    Target(
        "seconds that the tracker is unavailable, WAL mode, in any round",
        0,
        largest("unavailable_seconds", OURS, _LIVE),
        " s",
    ),
    Target(
        "the same with a rollback journal, as a multiple of the copy",
        1.1,
        compared(
            "unavailable_seconds/copy_seconds", "ours-scheduled", "ours-scheduled", Where("rollback", "100", "1G")
        ),
    ),
    Target(
        "whole run as a multiple of the incumbent's way (stop, `.backup`, gzip, start), at 1 and 4 GiB",
        1 / 3,
        compared("seconds", "ours", "incumbent", _SMALL),
    ),
    Target(
        "the same, where cores allow",
        1 / 4,
        compared("seconds", "ours", "incumbent", _SMALL),
    ),
    Target(
        "whole run, verified, as a multiple of one `borgmatic create`",
        1.0,
        compared("seconds", "ours", "borgmatic", _LIVE),
    ),
    Target(
        "anonymous memory of all our processes, in any round",
        150,
        largest("anonymous_bytes", OURS, Where(at_least="1G"), MIB),
        " MiB",
    ),
    Target(
        "the same at the largest size, as a multiple of that at the smallest",
        1.1,
        growth("anonymous_bytes", "ours-scheduled", Where("wal", "100", at_least="1G")),
    ),
    Target(
        "reader's p99 over a whole scheduled run, as a multiple of that with none running",
        1.5,
        compared("reads.p99", "ours-scheduled", "none", _LIVE),
        why="the run uses both cores, if at the lowest priority, and a reader that wakes up waits for the scheduler "
        "some tenths of a millisecond. Under SCHED_IDLE it waits half as long, but a busy host would let it starve.",
    ),
    Target(
        "writer's p99 over a whole scheduled run, as a multiple of that with none running",
        10,
        compared("writes.p99", "ours-scheduled", "none", _LIVE),
        why="a write ends when the disk has it, and waits for what of ours is under way there, 4 MiB at most.",
    ),
    Target("`tracker-backup --version`, CPU seconds", 0.15, of_startup("--version", "cpu_seconds"), " s"),
    Target(
        "`tracker-backup status` on 200 backups, CPU seconds",
        0.3,
        of_startup("status on 200 backups", "cpu_seconds"),
        " s",
    ),
    Target("whole run on a database of 1 MiB, seconds", 0.6, of_startup("whole run on 1 MiB", "seconds"), " s"),
    Target("changes of the role's second run, in any round", 0, largest("changed", (AGAIN, FLEET), _ROLE)),
    Target(
        "second run of the role on a converged host, as a multiple of an `apt` and a `copy` task alone",
        1.5,
        compared("seconds", AGAIN, ALONE, _ROLE),
        why="the role looks at everything that it has put on a host, some thirty tasks, each of which costs Ansible "
        "about as much as the `copy`.",
    ),
    Target(
        "the same on ten hosts, as a multiple of that on one",
        3,
        compared("seconds", FLEET, AGAIN, _ROLE),
        why="what ten hosts would do for themselves is done by the controller's two cores here.",
    ),
    Target(
        "MySQL: dump and compression, as a multiple of the dump alone",
        1.15,
        compared("copy_seconds/seconds", "ours", "client", _MYSQL),
        why="server and client alone keep both cores busy; hashes, the count of rows and zstd have to share them. With "
        "cores of their own (`APART=1`) they hardly show.",
    ),
    Target(
        "MySQL: the same, as a multiple of `mysqldump | gzip`",
        1 / 3,
        compared("copy_seconds/seconds", "ours", "gzip", _MYSQL),
        why="the same: gzip has a core to itself where the server waits for it, and what is faster shares both.",
    ),
)
"""What cannot be reached is shown with how near it came."""
