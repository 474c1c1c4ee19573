"""A thousand backups in a row while a tracker writes, each restored and checked: does anything grow, or fail?

    PYTHONPATH=tests:scripts:tools python -m support.soak [--rounds N] [--minutes N] [--rate N] [--write]

One database in WAL mode and one with a rollback journal are written to all the time; backups of them alternate, the
stack's files with each. Every backup is a process of the program's own, as cron starts it. It is restored, the writer's
invariants are looked at, and it must be newer than all before. Whatever was promised and does not hold ends the soak
with exit code 1. After an hour it ends in any case, and says how far it has come. With `--write` the figures go into
docs/guarantees.md; that is `make soak`.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from generated import ROOT
from guarantees import replaced
from support.memory import MemoryWatch
from support.program import Installation, sqlite_source
from support.tracker_standin import Writer, build_database, check_invariant
from tracker_backup.repository.store import Repository

TARGET = ROOT / "docs" / "guarantees.md"
FIGURES = ("<!-- Figures, from make soak -->", "<!-- End of the figures -->")
MODES = {"wal": "wal", "rollback": "delete"}
KEPT = 5
ENOUGH = 20
"""How many runs it takes until their peak of memory or of open files says something."""


class BrokenPromiseError(Exception):
    """Something that must never happen has."""


@dataclass
class Round:
    """What one backup took: seconds, the most memory of all its processes and the most open files of the program."""

    mode: str
    seconds: float = 0.0
    restore_seconds: float = 0.0
    memory_bytes: int = 0
    open_files: int = 0
    repository_bytes: int = 0
    raw_bytes: int = 0
    stall_seconds: float = 0.0


@dataclass
class Soak:
    """The host that is backed up, and what has been seen so far."""

    directory: Path
    rate: float
    rounds: list[Round] = field(default_factory=list)
    newest: dict[str, int] = field(default_factory=dict)
    writers: dict[str, Writer] = field(default_factory=dict)
    files_at_first: int = 0
    files_in_the_end: int = 0

    def prepare(self) -> None:
        """Make the databases, some files of a stack, and the configuration."""
        self.host = Installation(self.directory / "host")
        self.temporary = self.directory / "tmp"
        self.temporary.mkdir()
        for mode, journal_mode in MODES.items():
            (self.host.data / mode).mkdir()
            build_database(self._database(mode), mib=2, journal_mode=journal_mode)
        self._stack_file("docker-compose.yml").write_text("services: {tracker: {image: torrust/tracker}}\n")
        self._stack_file("tracker.toml").write_text('[core.database]\ndriver = "sqlite3"\n')
        self.host.configure(
            sources=[
                *(sqlite_source(mode, self._database(mode)) for mode in MODES),
                {"name": "files", "type": "files"},
            ],
            files={"exclude": list(MODES)},
            jobs=[
                {"name": mode, "schedule": "0 3 * * *", "sources": [mode, "files"], "keep": {"last": KEPT}}
                for mode in MODES
            ],
        )
        Repository(self.host.repository).init()

    def run(self, rounds: int, minutes: float) -> None:
        """Make so many backups, or as many as fit into the time, and restore each.

        Raises BrokenPromiseError at the first thing that must not be.
        """
        began = time.monotonic()
        for mode in MODES:
            self.writers[mode] = Writer(self._database(mode), rate=self.rate).__enter__()
        os.environ["TMPDIR"] = str(self.temporary)  # the program's; the writers have made theirs
        try:
            for number in range(1, rounds + 1):
                self.rounds.append(self._round(number, list(MODES)[number % len(MODES)]))
                if number == min(rounds, 4 * KEPT):
                    self.files_at_first = self._files()
                passed = (time.monotonic() - began) / 60
                if number % 50 == 0 or number == rounds or passed >= minutes:
                    print(f"{number:5} backups, {passed:5.1f} min", flush=True)
                if passed >= minutes:
                    break
            self.files_in_the_end = self._files()
        finally:
            reports = {mode: writer.stop() for mode, writer in self.writers.items()}
        for mode, report in reports.items():
            expect(report["failed"] == 0, f"{mode}: writes have failed: {report}")
            expect(self.newest[mode] <= report["transactions"], f"{mode}: a copy has more than was written: {report}")
        self.reports = reports

    def _round(self, number: int, mode: str) -> Round:
        committed = self.writers[mode].report()["transactions"]
        config = self._stack_file("tracker.toml")
        config.write_text(f'[core.database]\ndriver = "sqlite3"\n# {number}\n', encoding="utf-8")
        made = Round(mode)
        made.seconds = self._program(made, "--now", "--job", mode)
        manifest = max(self.host.manifests(), key=lambda each: int(each["sequence"]))  # two may be of one second
        expect(manifest["job"] == mode and manifest["state"] == "verified", f"{manifest['id']}: {manifest}")
        target = self.directory / "restored"
        made.restore_seconds = self._program(Round(mode), "restore", manifest["id"], "--to", str(target))
        copy = check_invariant(target / f"{mode}.sqlite3", integrity=True)
        expect(copy["ok"], f"{manifest['id']}: the restored database is not whole: {copy}")
        least = max(committed, self.newest.get(mode, 0))
        expect(copy["counter"] >= least, f"{manifest['id']}: {copy['counter']} transactions, expected {least}")
        self.newest[mode] = copy["counter"]
        kept = (target / "files" / str(config).lstrip("/")).read_bytes()
        expect(kept == config.read_bytes(), f"{manifest['id']}: another {config.name} than there was")
        shutil.rmtree(target)
        self._expect_tidy(number)
        made.repository_bytes = sum(file.stat().st_size for file in self.host.repository.rglob("*") if file.is_file())
        made.raw_bytes = sum(artifact["raw_bytes"] for artifact in manifest["artifacts"])
        made.stall_seconds = sum(artifact["write_stall_seconds"] for artifact in manifest["artifacts"])
        return made

    def _program(self, made: Round, *arguments: str) -> float:
        """Run the program and return its seconds; what it took is noted in `made`."""
        began = time.monotonic()
        with self.host.start(*arguments) as running, MemoryWatch(running) as watch:
            code = running.wait()
            seconds = time.monotonic() - began
        expect(code == 0, f"{' '.join(arguments)}: exit {code}: {running.said()}")
        made.memory_bytes, made.open_files = watch.most_bytes, watch.most_files
        return seconds

    def _expect_tidy(self, number: int) -> None:
        """Expect that nothing is left anywhere but the backups that are to be kept."""
        expect(not self.host.left_over(), f"round {number} left {self.host.left_over()}")
        expect(not list(self.temporary.iterdir()), f"round {number} left {list(self.temporary.iterdir())}")
        expect(self.host.lock_is_free(), f"round {number} left its lock")
        there = {mode: [item for item in self.host.manifests() if item["job"] == mode] for mode in MODES}
        for mode, backups in there.items():
            expect(len(backups) <= KEPT, f"round {number}: {len(backups)} backups of {mode} are kept instead of {KEPT}")
        ours = os.fsencode(self.host.directory)
        for file in (process / "cmdline" for process in Path("/proc").glob("[0-9]*")):
            try:
                line = file.read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            expect(ours not in line or b"tracker_standin" in line, f"round {number} left the process {line!r}")

    def _files(self) -> int:
        """Return how many files and directories there are in all, whatever they are."""
        return sum(1 for _ in self.directory.rglob("*"))

    def _database(self, mode: str) -> Path:
        return self.host.data / mode / "tracker.db"

    def _stack_file(self, name: str) -> Path:
        return self.host.data / name


def expect(condition: bool, otherwise: str) -> None:
    """Raise BrokenPromiseError, with what is wrong, unless the condition holds."""
    if not condition:
        raise BrokenPromiseError(otherwise)


def figures(soak: Soak) -> str:
    """Return the table: the first and the last hundred backups, or halves where there are fewer than two hundred."""
    size = min(100, len(soak.rounds) // 2)
    parts: tuple[Sequence[Round], Sequence[Round]] = (soak.rounds[:size], soak.rounds[-size:])
    rows = [
        ("seconds of a backup, median", lambda part: f"{median(each.seconds for each in part):.2f}"),
        ("seconds of its restore, median", lambda part: f"{median(each.restore_seconds for each in part):.2f}"),
        ("memory, most at one moment", lambda part: f"{max(each.memory_bytes for each in part) / 2**20:.1f} MiB"),
        ("memory, median of that", lambda part: f"{median(each.memory_bytes for each in part) / 2**20:.1f} MiB"),
        ("open files, most at one moment", lambda part: str(max(each.open_files for each in part))),
        ("longest wait of a writer", lambda part: f"{max(each.stall_seconds for each in part):.3f} s"),
        ("a backup's raw size, median", lambda part: f"{median(each.raw_bytes for each in part) / 2**20:.1f} MiB"),
        ("the repository, median", lambda part: f"{median(each.repository_bytes for each in part) / 2**20:.1f} MiB"),
    ]
    files = f"| files and directories of everything | {soak.files_at_first} | {soak.files_in_the_end} |"
    lines = [f"| {name} | {of(parts[0])} | {of(parts[1])} |" for name, of in rows]
    head = [f"| | first {size} | last {size} |", "| --- | --- | --- |"]
    return "\n".join([*head, *lines, files])


def summary(soak: Soak, minutes: float) -> str:
    """Return what was done, in a paragraph."""
    written = sum(report["transactions"] for report in soak.reports.values())
    where = f"Python {platform.python_version()}, {len(os.sched_getaffinity(0))} cores"
    return (
        f"{len(soak.rounds):,} backups one after another in {minutes:.0f} minutes, on {datetime.now(UTC):%Y-%m-%d} "
        f"({where}), by turns of a database in WAL mode and of one with a rollback journal, the stack's files with "
        f"each. Both were written to meanwhile: {written:,} transactions, none failed. Every backup was verified, "
        "restored, whole, and newer than all before it; nothing was left over."
    )


def level(soak: Soak) -> None:
    """Expect that what must not grow has not.

    Raises BrokenPromiseError.
    """
    size = min(100, len(soak.rounds) // 2)
    first, last = soak.rounds[:size], soak.rounds[-size:]
    # Looked at now and then, the peak of a single run is missed; that of many is not.
    opened, open_now = (max(each.open_files for each in part) for part in (first, last))
    expect(
        size < ENOUGH or open_now <= opened + 2, f"more files are open than in the beginning: {opened} to {open_now}"
    )
    before, after = (max(each.memory_bytes for each in part) for part in (first, last))
    expect(
        size < ENOUGH or after <= before * 1.2 + 2 * 2**20,
        f"the memory grows: {before / 2**20:.1f} to {after / 2**20:.1f} MiB",
    )
    grown = soak.files_in_the_end - soak.files_at_first
    expect(grown <= 2 * KEPT, f"{grown} files more than after the first {4 * KEPT} backups")


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000, metavar="N", help="how many backups (default 1000)")
    parser.add_argument("--minutes", type=float, default=58, metavar="N", help="at most (default 58)")
    parser.add_argument("--rate", type=float, default=20, metavar="N", help="writes a second to each (default 20)")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/guarantees.md")
    return parser.parse_args(arguments)


def main() -> int:
    """Do it, print the figures, and return the exit code."""
    parsed = parse(sys.argv[1:])
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tracker-backup-soak-", dir="/var/tmp") as directory:
        soak = Soak(Path(directory), parsed.rate)
        soak.prepare()
        try:
            soak.run(parsed.rounds, parsed.minutes)
            level(soak)
        except BrokenPromiseError as error:
            print(f"after {len(soak.rounds)} backups: {error}", file=sys.stderr)
            return 1
    text = f"{summary(soak, (time.monotonic() - began) / 60)}\n\n{figures(soak)}"
    print(f"\n{text}")
    if parsed.write:
        TARGET.write_text(replaced(TARGET.read_text(encoding="utf-8"), FIGURES, text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
