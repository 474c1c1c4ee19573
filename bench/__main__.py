"""Measure, write raw results, then the report; see `python -m bench help`."""

from __future__ import annotations

import signal
import sys

from bench.run import main

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # and so through all that cleans up
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
