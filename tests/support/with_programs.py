"""Run the program such that it finds other programs first: with_programs.py DIRECTORY ARGUMENT...

DIRECTORY stands before the system's own places; `-DIRECTORY` is searched alone, for a host that lacks programs, with
zstd and docker linked into it by the caller. Everything else is the program as it is.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from tracker_backup.cli import main
from tracker_backup.system import process

if __name__ == "__main__":
    place = sys.argv.pop(1)
    process.SYSTEM_PATH = place[1:] if place.startswith("-") else f"{place}:{process.SYSTEM_PATH}"
    sys.exit(main())
