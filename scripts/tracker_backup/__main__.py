"""Run the program from a checkout or from where the role has put it: ``python3 -I DIRECTORY``."""

import sys
from pathlib import Path

# Python puts this very directory first on the path, where a module of ours would shadow the standard library's.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from tracker_backup.cli import main  # noqa: E402 - the path must be right first
from tracker_backup.errors import TerminatedError  # noqa: E402 - as above
from tracker_backup.system.signals import ignore_signals  # noqa: E402 - as above

if __name__ == "__main__":
    try:
        code = main()
        ignore_signals()  # all is done: a late signal must not make a failure of it while the interpreter ends
    except TerminatedError as error:
        code = error.exit_code
    sys.exit(code)
