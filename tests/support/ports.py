"""Ports for servers that the tests start."""

from __future__ import annotations

import itertools
import os
import random
import socket

# Below the range from which connections get theirs, and a part for each of the processes that run tests: nobody takes
# one between the look and the server's start.
_FIRST, _EACH = 20_000, 1_000
_MINE = _FIRST + _EACH * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_NUMBERS = itertools.count(random.randrange(_EACH))


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody uses, and that this process has not given out for long."""
    for number in itertools.islice(_NUMBERS, _EACH):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", _MINE + number % _EACH)) != 0:
                return _MINE + number % _EACH
    raise RuntimeError(f"none of the ports from {_MINE} on is free")
