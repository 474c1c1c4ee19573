"""Run the program such that its copies under a lock take their time: slow_copy.py SECONDS ARGUMENT...

Each step copies a 64th of a small database and sleeps; everything else is the program as it is.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from tracker_backup.cli import main
from tracker_backup.sources.sqlite import copy as copying

if __name__ == "__main__":
    step_seconds = float(sys.argv[1]) / 64
    copying.LOCKED_CHUNK_BYTES = 64 * 1024
    copying._Steps._hold_back = lambda _self, _done: time.sleep(step_seconds)  # type: ignore[method-assign]
    del sys.argv[1]
    sys.exit(main())
