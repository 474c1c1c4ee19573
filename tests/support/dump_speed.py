"""How fast a dump is: ours beside the client alone and plain pipes, in one run, on rows as the tracker has them.

    PYTHONPATH=tests:scripts python -m support.dump_speed mysql-9.7 --rows 4000000 --rounds 5

Each round tries every way once, one after the other, so that what else the machine does meets all of them. Printed are
the least and the median seconds of each, the least as a multiple of the client's alone, and the CPU seconds of the
server and of everything else: on few cores it is those that decide. With `--apart` server and client share the first
core and all else has the second, which shows whether what is behind the client keeps up with it.
"""

from __future__ import annotations

import argparse
import os
import resource
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from support.database_servers import ALL, Server, client, running
from support.mysql_program import MysqlInstallation, least_user
from support.mysql_source import connection
from support.mysql_world import tracker_schema
from tracker_backup.sources.mysql.dump import dump_options

SCHEMA = "measured"
ALONE = "client alone, into /dev/null"
OURS = "tracker-backup"


@dataclass(frozen=True)
class Measured:
    """One try: seconds by the clock, CPU seconds of the server and of the others."""

    seconds: float
    server: float
    others: float


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flavour", choices=ALL, nargs="?", default="mysql-9.7")
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--apart", action="store_true")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as directory,
        running(arguments.flavour, Path(directory, "server")) as server,
    ):
        tracker_schema(server, SCHEMA, rows=arguments.rows)
        least_user(server, SCHEMA, SCHEMA)
        programs = Path(directory, "programs")
        _link_clients(server, programs, apart=arguments.apart)
        if arguments.apart:
            command = ["taskset", "--all-tasks", "--cpu-list", "--pid", "0", str(server.pid)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            os.sched_setaffinity(0, {1})
        ways = ways_of(server, Path(directory), programs)
        found: dict[str, list[Measured]] = {name: [] for name in ways}
        for _ in range(arguments.rounds):
            for name, run in ways.items():
                found[name].append(measured(server, run))
    alone = min(each.seconds for each in found[ALONE])
    print(f"{'':32} {'least':>7} {'median':>7} {'ratio':>6} {'server':>7} {'others':>7}")
    for name, tries in found.items():
        least = min(tries, key=lambda each: each.seconds)
        seconds = f"{least.seconds:7.2f} {median(each.seconds for each in tries):7.2f} {least.seconds / alone:6.2f}"
        print(f"{name:32} {seconds} {least.server:7.2f} {least.others:7.2f}")


def ways_of(server: Server, directory: Path, programs: Path) -> dict[str, Callable[[], float | None]]:
    """Return what is compared; each returns its seconds, or None where all of it is to be measured."""
    command = [str(programs / Path(client(server.flavour).dump[0]).name), f"--defaults-file={server.option_file()}"]
    command += dump_options(connection(server).way.clients.dump, SCHEMA, locking=False)
    program = MysqlInstallation(directory / "host", programs, check="quick")
    program.dump(server, SCHEMA, SCHEMA, socket=str(server.socket))
    packed = directory / "packed"

    def piped(*behind: str) -> None:
        with subprocess.Popen(command, stdout=subprocess.PIPE) as dumping, packed.open("wb") as out:
            subprocess.run(behind, stdin=dumping.stdout, stdout=out, check=True)
        assert dumping.returncode == 0

    def alone() -> None:
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)

    return {
        ALONE: alone,
        "| cat": lambda: piped("cat"),
        "| zstd -1": lambda: piped("zstd", "-q", "-1"),
        "| zstd -3": lambda: piped("zstd", "-q", "-3"),
        "| gzip": lambda: piped("gzip"),
        OURS: lambda: ours(program),
    }


def _link_clients(server: Server, directory: Path, *, apart: bool) -> None:
    """Put the clients into a directory; apart from everything else, the one that dumps runs on the first core."""
    directory.mkdir()
    found = client(server.flavour)
    for file in found.directory.iterdir():
        (directory / file.name).symlink_to(file)
    if apart:
        dump = directory / Path(found.dump[0]).name
        dump.unlink()
        dump.write_text(f'#!/bin/sh\nexec taskset --cpu-list 0 {shlex.quote(found.dump[0])} "$@"\n')
        dump.chmod(0o755)


def ours(program: MysqlInstallation) -> float:
    """Make a backup and return how long dump and compression took; what is read back and checked comes after that."""
    seconds: float = program.back_up()["artifacts"][0]["copy_seconds"]
    return seconds


def measured(server: Server, run: Callable[[], float | None]) -> Measured:
    """Run it once; CPU seconds of ours include start, reading back and check."""
    before, of_server, began = _children(), _cpu_of(server.pid), time.monotonic()
    seconds = run()
    taken = time.monotonic() - began
    return Measured(taken if seconds is None else seconds, _cpu_of(server.pid) - of_server, _children() - before)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


if __name__ == "__main__":
    main()
