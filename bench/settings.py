"""What a benchmark is asked to measure: NAME=VALUE words, as `make bench` takes them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MIB, GIB = 1024**2, 1024**3
PRODUCTION_SIZE, PRODUCTION_ROWS = "17G", 161_454_700
"""A tracker that exists has so many torrents; its database has about this size."""

LARGE_BYTES = 4 * GIB
"""From here on a round of all contenders takes an hour, or a night: those that were measured are published."""

SYNOPSIS = """\
make bench [NAME=VALUE]...

SIZE=1G,4G              sizes of databases; 17G is the production figure of 161,454,700 rows
ORDER=random,sorted     how their hashes were inserted; the second is measured in the first mode and rate alone
MODE=wal,rollback       journal modes
RATE=100,0,max          writes a second
RUNS=3                  rounds, of which medians are shown
ONLY=ours,cp            these contenders; otherwise all in the first mode and rate, in others those that are quick
FULL=1                  every combination, with every contender
ROWS=4000000            torrents in the MySQL schema; 0 leaves MySQL out, SIZE= leaves SQLite out
APART=1                 MySQL: server and client on the first core, all else on the second
LIMIT=60                seconds for a copy that may never end under writes; restores have 15 times, all else 60 times
SETTLE=3 AFTER=10       seconds of load before, and after, each run
STARTUP=0 ROLE=0        without the figures of start-up; without those of the role's second run
BENCH_DIR=.cache/bench  where databases, tools and results lie
REPORT=docs             where benchmarks.md goes; trials (sizes below 1G; ONLY, but from 4G up): BENCH_DIR/report
INSTALL=1               install the contenders first: Debian packages as root, borgmatic into BENCH_DIR/tools
LIST=1                  say what would be measured, and what is missing, and end
REDO=1                  write the report again from the results that are there, and end"""
_NAMES = frozenset(re.findall(r"\b([A-Z_]+)=", SYNOPSIS)) - {"NAME"}
_UNITS = {"M": MIB, "G": GIB}


class SettingsError(Exception):
    """A word that cannot be understood; the message says what it can be."""


@dataclass(frozen=True)
class Case:
    """What contenders are compared in: a database of a size, its order of hashes and journal mode, a rate of writes."""

    size: str
    order: str
    mode: str
    rate: str

    def __str__(self) -> str:
        """Return it in words."""
        mode = "WAL" if self.mode == "wal" else "rollback journal"
        rate = {"0": "no writes", "max": "writes as fast as possible"}.get(self.rate, f"{self.rate} writes/s")
        return f"{words_of_size(self.size)}, {self.order} hashes, {mode}, {rate}"


@dataclass(frozen=True)
class Settings:
    """All of it; times in seconds. `asked` is whether a report's place was asked for by name."""

    directory: Path = ROOT / ".cache" / "bench"
    sizes: tuple[str, ...] = ("1G", "4G")
    orders: tuple[str, ...] = ("random", "sorted")
    modes: tuple[str, ...] = ("wal", "rollback")
    rates: tuple[str, ...] = ("100", "0", "max")
    runs: int = 3
    only: tuple[str, ...] = ()
    full: bool = False
    rows: int = 4_000_000
    apart: bool = False
    limit: float = 60
    settle: float = 3
    after: float = 10
    startup: bool = True
    role: bool = True
    report: Path | None = None
    install: bool = False
    list_only: bool = False
    redo: bool = False

    @property
    def trial(self) -> bool:
        """Whether this is too small, or too little, to be published; of what is large not all is for one night."""
        too_small = any(bytes_of(size) < GIB for size in self.sizes)
        return too_small or (bool(self.only) and any(bytes_of(size) < LARGE_BYTES for size in self.sizes or ("0M",)))

    @property
    def report_directory(self) -> Path:
        """Where the report goes."""
        return self.report or (self.directory / "report" if self.trial else ROOT / "docs")

    def cases(self) -> Iterator[Case]:
        """Yield what is measured of SQLite, in order."""
        for size in self.sizes:
            for order in self.orders:
                for mode in self.modes:
                    for rate in self.rates:
                        case = Case(size, order, mode, rate)
                        if self.full or order == self.orders[0] or self.is_main(case):
                            yield case

    def is_main(self, case: Case) -> bool:
        """Return whether all contenders are measured in a case, those too that take long."""
        return self.full or (case.mode == self.modes[0] and case.rate == self.rates[0])


def parse(words: Sequence[str]) -> Settings:
    """Read NAME=VALUE words. Raises SettingsError for those that cannot be understood."""
    given: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if name not in _NAMES or not equals:
            raise SettingsError(f"{word!r} is not understood\n\n{SYNOPSIS}")
        given[name] = value.strip()
    preset = Settings()

    def several(name: str, otherwise: tuple[str, ...], pattern: str) -> tuple[str, ...]:
        if name not in given:
            return otherwise
        values = tuple(dict.fromkeys(part for part in given[name].replace(",", " ").split() if part))
        for value in values:
            if not re.fullmatch(pattern, value):
                raise SettingsError(f"{name}={value} is not understood\n\n{SYNOPSIS}")
        return values

    def number(name: str, otherwise: float) -> float:
        try:
            return float(given.get(name, otherwise))
        except ValueError:
            raise SettingsError(f"{name}={given[name]} is no number\n\n{SYNOPSIS}") from None

    def switch(name: str, *, otherwise: bool = False) -> bool:
        return given.get(name, "1" if otherwise else "0") not in ("", "0", "no")

    return Settings(
        directory=Path(given.get("BENCH_DIR") or preset.directory).resolve(),
        sizes=several("SIZE", preset.sizes, r"[1-9]\d*[MG]"),
        orders=several("ORDER", preset.orders, "random|sorted") or preset.orders,
        modes=several("MODE", preset.modes, "wal|rollback") or preset.modes,
        rates=several("RATE", preset.rates, r"\d+|max") or preset.rates,
        runs=max(1, int(number("RUNS", preset.runs))),
        only=several("ONLY", (), r"[\w-]+"),
        full=switch("FULL"),
        rows=int(number("ROWS", preset.rows)),
        apart=switch("APART"),
        limit=number("LIMIT", preset.limit),
        settle=number("SETTLE", preset.settle),
        after=number("AFTER", preset.after),
        startup=switch("STARTUP", otherwise=True),
        role=switch("ROLE", otherwise=True),
        report=Path(given["REPORT"]).resolve() if given.get("REPORT") else None,
        install=switch("INSTALL"),
        list_only=switch("LIST"),
        redo=switch("REDO"),
    )


def bytes_of(size: str) -> int:
    """Return a size such as 4G in bytes."""
    return int(size[:-1]) * _UNITS[size[-1]]


def words_of_size(size: str) -> str:
    """Return a size as people write it."""
    if size == PRODUCTION_SIZE:
        return f"{PRODUCTION_ROWS:,} rows"
    return f"{size[:-1]} {'GiB' if size[-1] == 'G' else 'MiB'}"


def writes_a_second(rate: str) -> float:
    """Return a rate of writes as a number."""
    return math.inf if rate == "max" else float(rate)
