"""Run the program and kill it, as by kill -9, at the Nth instant at which a restore is about to change something.

Usage: python3 -I dying.py N ARGUMENT... Such instants are renames, links, deletions, new files and directories, owners,
modes, and the start of another program, from where the restore has the right to do anything. When there are fewer than
N, it runs to its end.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

CHANGES = {
    "os.rename", "os.link", "os.symlink", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.chown", "os.setxattr",
    "subprocess.Popen", "os.posix_spawn", "os.fork",
}  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def main(instant: int, arguments: list[str]) -> int:
    """Run until that instant."""
    sys.path[0] = str(Path(__file__).resolve().parents[2] / "scripts")
    from tracker_backup.cli import main as run
    from tracker_backup.inplace.engine import Engine

    met = 0

    def look(event: str, given: tuple[object, ...]) -> None:
        nonlocal met
        writes = event == "open" and isinstance(given[2], int) and given[2] & _WRITING
        if event in CHANGES or writes:
            met += 1
            if met == instant:
                os.kill(os.getpid(), signal.SIGKILL)

    begin = Engine.run

    def begin_watched(engine: Engine) -> object:
        sys.addaudithook(look)
        return begin(engine)

    Engine.run = begin_watched  # type: ignore[method-assign,assignment]
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
