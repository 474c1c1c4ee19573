"""An engine that test processes share: it lives as long as the last of them, and no longer."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.engine import KEEPER
from support.program import is_running, wait_until

ENGINE = "import os, sys, time; print(os.getpid(), flush=True); time.sleep(3600)"


@contextmanager
def kept(users: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Keep a process that stands for the engine; give the keeper, and the number of what it keeps."""
    command = [sys.executable, str(KEEPER), str(users), sys.executable, "-c", ENGINE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout is not None
        try:
            yield keeper, int(keeper.stdout.readline())
        finally:
            keeper.kill()


def test_it_ends_after_the_last_who_uses_it(tmp_path: Path) -> None:
    with (tmp_path / "users").open("w") as one, (tmp_path / "users").open("w") as other:
        fcntl.flock(one, fcntl.LOCK_SH)
        fcntl.flock(other, fcntl.LOCK_SH)
        with kept(tmp_path / "users") as (keeper, engine):
            one.close()
            try:
                keeper.wait(1)
            except subprocess.TimeoutExpired:
                assert is_running(engine)
            else:
                raise AssertionError("it ended while somebody used it")
            other.close()
            keeper.wait(60)
    assert not is_running(engine)


def test_it_ends_with_a_keeper_that_is_killed(tmp_path: Path) -> None:
    with (tmp_path / "users").open("w") as user:
        fcntl.flock(user, fcntl.LOCK_SH)
        with kept(tmp_path / "users") as (keeper, engine):
            keeper.kill()
            wait_until(lambda: not is_running(engine), lambda: f"{engine} lives on")


def test_one_that_ends_by_itself_is_told(tmp_path: Path) -> None:
    with (tmp_path / "users").open("w") as user:
        fcntl.flock(user, fcntl.LOCK_SH)
        command = [sys.executable, str(KEEPER), str(tmp_path / "users"), "sh", "-c", "exit 7"]
        assert subprocess.run(command, check=False).returncode == 7
