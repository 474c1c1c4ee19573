"""The driver's copy as a program: python -m bench.ourcopy DATABASE INTO PROGRAMS STACK; prints what it cost."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bench.ours import MOST_PAUSE_SECONDS
from support.copying import copy_of
from tracker_backup.system import process


def main(database: Path, into: Path, programs: Path, directory: Path) -> None:
    """Copy as a run does; what it pauses is found by the engine's stand-in in `programs`."""
    process.SYSTEM_PATH = f"{programs}:{process.SYSTEM_PATH}"
    taken = copy_of(
        database,
        into,
        service="tracker",
        stack=directory / "host" / "data",
        state_directory=directory / "state",
        max_pause_seconds=MOST_PAUSE_SECONDS,
    )
    stall = round(taken.pause_seconds + taken.write_stall_seconds, 3)
    facts = {"method": taken.method, "copy_seconds": round(taken.seconds, 3), "reported_stall_seconds": stall}
    sys.stdout.write(json.dumps(facts))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:5]))
