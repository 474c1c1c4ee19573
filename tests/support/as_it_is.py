"""Run the program in the environment as it is: as_it_is.py ARGUMENT...

Started as it is on a host it drops what it does not know, and with that the clock that a test has set. All else is the
program as it is.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from tracker_backup.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
