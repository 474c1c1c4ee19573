"""Keep a Docker Engine for as long as anybody holds a lock on a file: engine_keeper.py FILE COMMAND...

The test processes that use the engine share the lock. The kernel takes it away from those that are killed, so that
the engine ends after the last of them, whoever started it and however they end.
"""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
import sys
import time
from pathlib import Path

LOOK_EVERY_SECONDS = 0.2


def main() -> int:
    """Run the engine until nobody needs it any more, or until it ends by itself; return its exit code."""
    engine = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *sys.argv[2:]], stdin=subprocess.DEVNULL)
    with Path(sys.argv[1]).open("w") as users:
        while engine.poll() is None:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever comes now waits for the lock, and so for the engine's end.
                engine.terminate()
                return engine.wait()
            time.sleep(LOOK_EVERY_SECONDS)
    return engine.returncode


if __name__ == "__main__":
    sys.exit(main())
