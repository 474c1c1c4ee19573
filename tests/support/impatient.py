"""Run the program such that it soon gives up on what does not answer: impatient.py SECONDS FIFO ARGUMENT...

FIFO, unless it is "", is made at the last instant before a snapshot is pinned, as nothing that is looked at before can
see it. Everything else is the program as it is.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from tracker_backup.cli import main
from tracker_backup.sources.sqlite import copy as copying
from tracker_backup.system import lastresort


def plant_before_pin(fifo: str) -> None:
    """Make a FIFO before the next snapshot is pinned."""
    pin = copying.pin

    def planted(*arguments: object) -> object:
        os.mkfifo(fifo)
        return pin(*arguments)  # type: ignore[arg-type]  # whatever its arguments are, they are passed on

    copying.pin = planted  # type: ignore[assignment]  # stands for it in this process alone


if __name__ == "__main__":
    lastresort.PATIENCE_SECONDS = float(sys.argv[1])
    if sys.argv[2]:
        plant_before_pin(sys.argv[2])
    sys.exit(main(sys.argv[3:]))
