"""Become another program, which the kernel kills when whoever started this one dies, however that happens.

Usage: python3 -I orphan.py PARENT PROGRAM ARGUMENT...; PARENT is the process that starts it. setpriv(1) asks for the
signal as well, but does not look whether the parent has died before: then it never comes, and the program goes on.
https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Ask for the signal, look whether it would still come, and become the program."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"cannot ask the kernel to be ended with process {parent}: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        sys.exit(f"process {parent}, which wanted this, is gone")
    # The program is named by whoever imports this package.
    os.execv(command[0], command)  # noqa: S606 # nosec B606


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
