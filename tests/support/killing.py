"""Runs that are killed, at random instants or before a change of theirs, and what a repository must show afterwards."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import random
import signal
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from support.dying import SIGN, TOLD
from support.faults import rounds
from support.program import Installation, Running, wait_until

DYING = Path(__file__).with_name("dying.py")
LANES = rounds(2, short=1)
"""So many installations are hunted at the same time."""

Backups = dict[str, dict[str, bytes]]
"""The bytes of every file of every backup that can be seen, by its id and the file's name."""


def fenced(installation: Installation) -> dict[str, str]:
    """Return an environment by which whatever the program starts can be told from all else that runs here."""
    return {**installation.environment(), "HOME": str(installation.directory)}


def family(installation: Installation) -> set[int]:
    """Return all processes that were started in that environment, whoever their parent is by now."""
    sign, found = f"HOME={installation.directory}".encode(), set()
    for file in (process / "environ" for process in Path("/proc").glob("[0-9]*")):
        try:
            if sign in file.read_bytes().split(b"\0"):
                found.add(int(file.parent.name))
        except OSError:
            continue  # it has ended, or is not ours to read
    return found


def kill_all(pids: set[int]) -> None:
    """Kill processes, of which some may have ended."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def expect_nothing_goes_on(installation: Installation) -> float:
    """Wait until whatever the program had started has ended, and the lock is free; return the seconds it took."""
    began = time.monotonic()
    wait_until(lambda: lock_is_free(installation), lambda: f"the lock is held by one of {family(installation)}")
    wait_until(lambda: not family(installation), lambda: f"{family(installation)} go on without their program")
    return time.monotonic() - began


def lock_is_free(installation: Installation) -> bool:
    """Return whether nobody holds the repository's lock; without a process, which would cost more than the question."""
    try:
        descriptor = os.open(installation.repository / ".lock", os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def visible(installation: Installation) -> Backups:
    """Return the backups that can be seen, after a look at each: it is whole, or the test fails."""
    found: Backups = {}
    for directory in sorted(installation.repository.iterdir()):
        if directory.name.startswith("."):
            continue
        files = {file.name: file.read_bytes() for file in directory.iterdir()}
        assert "manifest.json" in files, f"{directory.name} can be seen and has no manifest: {sorted(files)}"
        manifest = json.loads(files["manifest.json"])
        artifacts = {artifact["file"]: artifact for artifact in manifest["artifacts"]}
        assert set(files) - {".keep", ".accepted"} == {"manifest.json", *artifacts}, directory.name
        for name, artifact in artifacts.items():
            stored = len(files[name]), hashlib.sha256(files[name]).hexdigest()
            assert stored == (artifact["bytes"], artifact["sha256"]), f"{directory.name}/{name} is half a one"
        found[directory.name] = files
    return found


def expect_intact(before: Backups, after: Backups, keep_last: int) -> None:
    """Check that nothing has changed in a backup that was there, and that none went but what the policy condemns."""
    changed = [name for name in before.keys() & after.keys() if before[name] != after[name]]
    assert changed == [], "older backups have changed"
    every = {**before, **after}
    complete = [name for name in every if json.loads(every[name]["manifest.json"])["state"] == "verified"]
    wanted = sorted(complete)[-keep_last:]
    assert set(wanted) <= set(after), f"of {wanted}, which the policy keeps, only {sorted(after)} are there"


def next_start(installation: Installation) -> dict[str, Any]:
    """Start the program again, which must make a verified backup and leave nothing of what was killed."""
    listed = {each["id"] for each in installation.listed()}
    assert listed == set(visible(installation)), "what is listed is what is whole"
    manifest = installation.back_up()
    assert manifest["state"] == "verified"
    expect_swept(installation)
    return manifest


def expect_swept(installation: Installation) -> None:
    """Check that nothing lies in the repository but backups, and what is always there."""
    assert installation.left_over() == []
    always = {".lock", ".tracker-backup", ".incoming", ".staging", ".condemned", ".quarantine"}
    strange = {path.name for path in installation.repository.glob(".*")} - always
    assert strange == set()
    assert list(installation.repository.glob(".condemned/*")) == []
    assert len(installation.quarantined()) <= 1


class Hunt:
    """Kills one installation's runs at random instants, spread over the whole of one."""

    def __init__(
        self, installation: Installation, seed: int, check: Callable[[Path], None], keep_last: int = 3
    ) -> None:
        """Keep whom to hunt; `check` looks at a directory into which a backup was restored."""
        self._installation = installation
        self._luck = random.Random(seed)
        self._check = check
        self._keep_last = keep_last
        installation.configure(jobs=[{"name": "daily", "keep": {"last": keep_last}}])
        self.phases: Counter[str] = Counter()
        self.slowest_end = 0.0

    def kill(self, times: int) -> None:
        """Kill so many runs, and look after each; every third time start anew, now and then restore."""
        usual = statistics.median(self._run_seconds() for _ in range(rounds(3, short=1)))
        killed = 0
        while killed < times:
            before = visible(self._installation)
            hit = self._kill_one(self._luck.uniform(0, usual * 1.1), everything=killed % 4 == 3)
            expect_intact(before, visible(self._installation), self._keep_last)
            if not hit:
                continue
            killed += 1
            if killed % 3 == 0:
                before = visible(self._installation)
                next_start(self._installation)
                expect_intact(before, visible(self._installation), self._keep_last)
            if killed % 15 == 0:
                self._restore(killed)
        next_start(self._installation)
        self._restore(0)
        assert self._installation.run("verify", "--all", "--full").returncode == 0

    def _kill_one(self, delay: float, *, everything: bool) -> bool:
        (self._installation.repository / ".lock").write_bytes(b"")
        with Running(self._installation.command("--now"), fenced(self._installation)) as running:
            time.sleep(delay)
            if everything:
                kill_all(family(self._installation))
            running.signal(signal.SIGKILL)
            code = running.wait()
            assert code in (0, -signal.SIGKILL), running.said()
        self.phases[(self._installation.phase() or "before the lock, or after it") if code else "too late"] += 1
        self.slowest_end = max(self.slowest_end, expect_nothing_goes_on(self._installation))
        return code != 0

    def _run_seconds(self) -> float:
        began = time.monotonic()
        self._installation.back_up()
        return time.monotonic() - began

    def _restore(self, number: int) -> None:
        target = self._installation.directory / f"restored-{number}"
        done = self._installation.run("restore", "latest", "--to", str(target))
        assert done.returncode == 0, done.stderr
        self._check(target)


def hunt(installations: list[Installation], times: int, check: Callable[[Installation, Path], None]) -> None:
    """Kill runs of all installations side by side, `times` together; print what was hit, and the seed on failure."""
    seed = random.randrange(10**6)
    hunts = [
        Hunt(each, seed + number, lambda path, each=each: check(each, path))  # type: ignore[misc]
        for number, each in enumerate(installations)
    ]
    print(f"{seed=}")
    with ThreadPoolExecutor(len(hunts)) as lanes:
        for ended in [lanes.submit(each.kill, -(-times // len(hunts))) for each in hunts]:
            ended.result()
    hit: Counter[str] = sum((each.phases for each in hunts), Counter())
    print(
        f"killed in {dict(hit.most_common())}; the last one ended {max(each.slowest_end for each in hunts):.2f} s later"
    )


def die(
    installation: Installation,
    instant: int,
    *arguments: str,
    number: signal.Signals = signal.SIGKILL,
    begin: str = "start",
) -> subprocess.CompletedProcess[str]:
    """Run the program, which gets that signal before its change number `instant`; return how it ended."""
    command = [installation.python, "-I", str(DYING), begin, str(instant), number.name, *arguments]
    command = [*installation.command()[:2], *command]
    return subprocess.run(
        command, env=fenced(installation), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def was_hit(done: subprocess.CompletedProcess[str]) -> str | None:
    """Return what the program was about to do when the signal came, None where it came to its end before."""
    return next((line.removeprefix(SIGN) for line in done.stderr.splitlines() if line.startswith(SIGN)), None)


def changes(installation: Installation, *arguments: str) -> int:
    """Run the program to its end, and return how many changes it made."""
    done = die(installation, 0, *arguments)
    return next(int(line.removeprefix(TOLD)) for line in done.stderr.splitlines() if line.startswith(TOLD))
