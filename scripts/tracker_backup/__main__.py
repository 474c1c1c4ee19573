"""Run the program from a checkout or from where the role has put it: ``python3 -I DIRECTORY``."""

import sys
from pathlib import Path

# Python puts this very directory first on the path, where a module of ours would shadow the standard library's.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from tracker_backup.cli import main  # noqa: E402 - the path must be right first

if __name__ == "__main__":
    sys.exit(main())
