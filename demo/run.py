"""Show the whole of tracker-backup on this machine: provision, back up a live database, verify, restore, compare.

Everything happens below .demo, without root and without Docker. A stand-in writes to the tracker's database at
100 transactions a second from the first step to the last.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from types import FrameType
from typing import NoReturn

from live_stack import MIB, PROGRAM, REPORT, RESTORED, compare, live_tracker, make_stack
from showing import DEMO, DemoError, ask, call, environment, heading, play, prepare, show, shown


def steps(env: dict[str, str]) -> int:
    """Run all steps after the stack stands; return the number of changes of the playbook's second run."""
    heading("2  Provision: the role sets up program, configuration, schedule and makes a first backup")
    play(env)
    heading("3  A backup, now, while the database is written to")
    call(PROGRAM, "--now", env=env)
    heading("4  What there is")
    call(PROGRAM, "list", env=env)
    heading("5  Read the newest backup back from the disk, unpack it, have SQLite check it")
    call(PROGRAM, "verify", "--latest", "--full", env=env)
    heading("6  Restore it beside the live stack")
    call(PROGRAM, "restore", "latest", "--to", RESTORED, env=env)
    heading("7  Compare what was restored with the live stack")
    compare(env)
    heading("8  The schedule: on a real host this file is in /etc/cron.d")
    show(DEMO / "etc" / "cron.d" / "tracker-backup-default")
    call(PROGRAM, "status", env=env)
    heading("9  The playbook once more: nothing is left to change")
    return play(env)


def summary(started: float, env: dict[str, str]) -> None:
    """Print what was shown, where it is, and what to try next; raise DemoError if a write failed."""
    report = json.loads(REPORT.read_text(encoding="utf-8"))
    manifest = ask(PROGRAM, "list", "--json", env=env)[-1]
    artifact = manifest["artifacts"][0]
    repository = DEMO / "var" / "backups" / "tracker-backup" / "default"
    heading("Done")
    print(
        f"{time.monotonic() - started:.0f} s in all. Meanwhile the tracker made {report['transactions']} transactions, "
        f"{report['failed']} failed, the slowest took {report['max_ms']:.0f} ms.\n"
        f"The last backup: {artifact['raw_bytes'] / MIB:.0f} MiB of database in {artifact['bytes'] / MIB:.0f} MiB, "
        f"and the stack's files; {manifest['state']}.\n\n"
        f"  program        {shown(PROGRAM)}\n"
        f"  backups        {shown(repository)}\n"
        f"  configuration  {shown(DEMO / 'etc' / 'tracker-backup' / 'default.yml')}\n"
        f"  restored       {shown(RESTORED)}\n\n"
        f"Try next (the writer is stopped now):\n"
        f"  {shown(PROGRAM)} --help\n"
        f"  {shown(PROGRAM)} show {manifest['id']}\n"
        f"  {shown(PROGRAM)} discover\n"
        f"  {shown(PROGRAM)} doctor\n"
        f"  zstd -dc {shown(repository / manifest['id'] / artifact['file'])} > .demo/copy.db\n"
        f"  sqlite3 .demo/copy.db .tables\n"
        f"\nFor a real host: cp inventory.example inventory, edit it, .venv/bin/ansible-playbook site.yml"
    )
    if report["failed"]:
        raise DemoError(f"writes failed: {report['errors']}")


def run(mib: int) -> None:
    """Run the demo from an empty directory to the summary."""
    started = time.monotonic()
    prepare()
    env = environment()
    heading("1  A stack as it is on a host, with a live database")
    make_stack(mib, env)
    with live_tracker(env):
        changes = steps(env)
    if changes:
        raise DemoError(f"the second run of the playbook changed {changes} things")
    summary(started, env)


def stop(number: int, _frame: FrameType | None) -> NoReturn:
    """End as the shell expects it of a process that got a signal; the writer is stopped on the way."""
    sys.exit(128 + number)


def main() -> int:
    """Run the demo; return 1 when a step failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=96, help="size of the database (default: %(default)s)")
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        run(parser.parse_args().mib)
    except DemoError as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
