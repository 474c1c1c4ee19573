#!/usr/bin/env python3
"""Kills what makes backups in containers at random instants, or fills its disk, and looks at what is left.

    kills.py kill PLACEMENT [--times 5] [--seed N]
    kills.py full PLACEMENT

Runs on the stack's host as root, with Python's standard library and the docker command. Prints JSON; exits with 1 and
says what was not as it must be.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator

from looking import (
    FREE_SECONDS,
    INSTANCE,
    OURS,
    PAUSED_SECONDS,
    REPOSITORY,
    RUN_SECONDS,
    Container,
    WrongError,
    at_work,
    backups,
    docker,
    expect_whole,
    finished,
    helpers,
    hidden,
    lock_is_free,
    outside,
    outside_in,
    paused,
    quiet_time,
    require,
    wait_until,
    watch,
)

STOP_SECONDS = 60.0  # `docker restart` kills after the grace period, two minutes
DYING_SECONDS = 6.0  # how long before cron's next run anything is killed
FILLING_SECONDS = 20.0
FULL_DISK_MIB = 192
PARTIAL, KILLED, TERMINATED = 3, 137, 143


def kill_program(container: Container, _run: subprocess.Popen[str]) -> bool:
    """Kill the program in the container, and nothing else of it; return whether there was one."""
    killed = 0
    for process in container.programs():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
            killed += 1
    return killed > 0


def kill_container(container: Container, _run: subprocess.Popen[str]) -> bool:
    """Kill the whole container."""
    docker("kill", container.id)
    return True


def restart_container(container: Container, _run: subprocess.Popen[str]) -> bool:
    """Stop the container as Docker does, and start it again."""
    begin = time.monotonic()
    docker("restart", container.id)
    took = time.monotonic() - begin
    require(took < STOP_SECONDS, "it took", took, "s to stop and start: SIGTERM was not heard")
    container.wait()
    return True


def remove_container(container: Container, _run: subprocess.Popen[str]) -> bool:
    """Remove the container while it runs."""
    docker("rm", "--force", "--volumes", container.id)
    return True


def kill_helper(_container: Container, run: subprocess.Popen[str]) -> bool:
    """Kill the container in which the orchestrator has the stack's data copied; return whether one came."""
    while run.poll() is None:
        for helper in helpers():
            time.sleep(random.uniform(0, 1))
            return docker("kill", helper, check=False) != ""
    return False


def end_command(container: Container, whole: float) -> None:
    """End the host's own command in mid-run, as Ctrl-C or a time-out does: what it has started ends as well."""
    quiet_time(whole + DYING_SECONDS)
    older = backups()
    source = ["--source", "tracker"] if container.placement == "sidecar" else []
    command = ["tracker-backup", "--instance", INSTANCE, "--now", "--wait", *source]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_until(lambda: run.poll() is not None or not lock_is_free(), RUN_SECONDS, "a run takes the lock")
    under_way = run.poll() is None
    run.send_signal(signal.SIGTERM)
    code, said = finished(run)
    require(under_way and code == TERMINATED, "told to end, the host's command exits with", code, said)
    watch(FREE_SECONDS, 0, "SIGTERM to the host's command")
    require(set(expect_whole(older)) == set(older), "a run that was ended has published something")


Action = Callable[[Container, "subprocess.Popen[str]"], bool]
ACTIONS: tuple[Action, ...] = (kill_program, kill_container, restart_container, remove_container)


def disturb(container: Container, action: Action, whole: float, older: dict[str, str]) -> int | None:
    """Start a run, kill, and look at what is left; return its exit code, None where it had ended before.

    `whole` is how long a run takes that nobody disturbs.
    """
    quiet_time(whole + DYING_SECONDS)
    run = container.start_run()
    if action is not kill_helper:
        wait_until(lambda: run.poll() is not None or not lock_is_free(), RUN_SECONDS, "a run takes the lock")
        time.sleep(random.uniform(0, whole))
    under_way = run.poll() is None
    under_way = action(container, run) and under_way
    code, said = finished(run)
    # 0 where it has come to its end in the moment between.
    allowed = {0, 1, KILLED, TERMINATED} if action is restart_container else {0, KILLED}
    require(code in allowed, action.__name__, "made the run exit with", code, said)
    expect_whole(older)
    # What an orchestrator's helper has begun it brings to its end. A container that starts again may do a run.
    orchestrator = container.placement == "orchestrator"
    goes_on = orchestrator or action is restart_container
    watch(whole * 2 + 10 if goes_on else FREE_SECONDS, PAUSED_SECONDS if orchestrator else 0, action.__name__)
    expect_whole(older)
    if action in (kill_container, remove_container):
        container.up()
    return code if under_way else None


def kill(placement: str, times: int) -> dict[str, object]:
    """Kill so many times, and look each time; return what was seen."""
    container = Container(placement)
    actions = (*ACTIONS, kill_helper) if placement == "orchestrator" else ACTIONS
    quiet_time()
    run = container.start_run()
    wait_until(lambda: not lock_is_free(), RUN_SECONDS, "a run takes the lock")
    begin = time.monotonic()
    code, said = finished(run)
    whole = time.monotonic() - begin
    require(code == 0, "an undisturbed run exits with", code, said)
    clean = hidden()
    older = backups()
    require(older, "no backup is there to begin with")
    end_command(container, whole)
    seen: Counter[str] = Counter()
    codes: Counter[int] = Counter()
    attempts = 0
    while seen.total() < times:
        attempts += 1
        require(attempts <= 4 * times, "of", attempts, "attempts only these came in mid-run:", dict(seen))
        action = actions[seen.total() % len(actions)]
        ended = disturb(container, action, whole, older)
        if ended is not None:
            seen[action.__name__] += 1
            codes[ended] += 1
    quiet_time()
    code, said = finished(container.start_run())
    require(code == 0, "the next run exits with", code, said)
    wait_until(lambda: hidden() <= clean, RUN_SECONDS, "what was left is swept:", hidden() - clean)
    found = expect_whole(older)
    code, said = outside("verify", "--all")
    require(code == 0, "verify exits with", code, said)
    listed = {item["id"] for item in json.loads(outside("list", "--json")[1])}
    require(listed >= set(found), "not listed:", set(found) - listed)
    quiet_time()  # cron's run has a helper, and may have a service frozen
    require(not helpers(), "a helper is left")
    require(not paused(), "frozen at the end:", *paused())
    seconds = round(whole, 1)
    return {"run seconds": seconds, "killed": seen, "attempts": attempts, "exit codes": codes, "backups": len(found)}


@contextlib.contextmanager
def small_disk(container: Container) -> Iterator[None]:
    """Put a small empty file system over the repository while no container of ours runs, and take it away again."""
    ours = docker("ps", "--quiet", "--filter", OURS).split()
    docker("stop", *ours)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={FULL_DISK_MIB}m,mode=0700", "tmpfs", REPOSITORY], check=True)
    try:
        docker("start", container.id)
        container.wait()
        code, said = outside_in(container, "init")
        require(code == 0, "init exits with", code, said)
        yield
    finally:
        docker("stop", container.id)
        subprocess.run(["umount", REPOSITORY], check=True)
        docker("start", *ours)
        container.wait()


def full(placement: str) -> dict[str, object]:
    """Let the disk become full in mid-run: the run fails, leaves nothing half, and the next one has room."""
    container = Container(placement)
    before = backups()
    require(before, "no backup is there to begin with")
    quiet_time()
    with small_disk(container):
        quiet_time(FILLING_SECONDS)
        older = backups()
        filler = REPOSITORY / "filler"
        run = container.start_run()
        wait_until(lambda: run.poll() is not None or at_work(), RUN_SECONDS, "a run has begun to write")
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 20))
        code, said = finished(run)
        require(code in (1, PARTIAL), "with a full disk it exits with", code, said)
        require(re.search(r"space|filling up|room", said), "it does not say that the disk is full:", said)
        published = set(expect_whole(older)) - set(older)
        require(code == PARTIAL or not published, "it failed, and published", published)
        filler.unlink()
        code, healed = finished(container.start_run())
        require(code == 0, "with room again it exits with", code, healed)
        require(set(expect_whole(older)) - set(older) - published, "it has made no backup")
        code, verified = outside_in(container, "verify", "--all")
        require(code == 0, "verify exits with", code, verified)
    expect_whole(before)
    return {"said": said.strip().splitlines()[-1:], "published": len(published)}


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["kill", "full"])
    parser.add_argument("placement", choices=["service", "sidecar", "orchestrator"])
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    parsed = parser.parse_args()
    random.seed(parsed.seed)
    print(f"seed {parsed.seed}", file=sys.stderr)
    begin = time.monotonic()
    try:
        seen = kill(parsed.placement, parsed.times) if parsed.what == "kill" else full(parsed.placement)
    except WrongError as error:
        print(f"{parsed.what} {parsed.placement}: {error}", file=sys.stderr)
        return 1
    print(json.dumps({**seen, "seconds": round(time.monotonic() - begin, 1)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
