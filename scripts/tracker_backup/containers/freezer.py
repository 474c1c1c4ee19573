"""The owner of a pause, as a program of its own: it freezes, holds the end of a pipe, and thaws when the pipe ends.

Usage: python3 -I freezer.py DOCKER MARKER LIMIT_SECONDS CONTAINER...

Whoever started it may die at any instant, by kill -9 too: the pipe on stdin ends then, and the containers go on. For
the death of both there is the marker: written before anything is frozen, removed after all is thawed, and locked for
as long as this program lives, so that nobody takes a pause that is under way for one that was left behind.

It writes a line for each thing that happens:

    ready             it may be told to freeze, by a line on stdin
    failed WHY        nothing is frozen, or not for long; the end
    paused            all containers are frozen
    lost WHY          one of them is not frozen any more, and whoever copies should come to an end
    thawed SECONDS    none is frozen any more, and for how long they were

Standard library only.
"""

import contextlib
import errno
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

WATCH_SECONDS = 0.5
CLAIM_SECONDS = 1.0
COMMAND_SECONDS = 30
THAW_SECONDS = 3600
"""An engine that restarts, or an upgrade of Docker, must not leave the tracker frozen."""


def main(docker: str, marker: str, limit_seconds: float, containers: list[str]) -> int:
    """Freeze when told to, wait, thaw."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # only the pipe and the clock end a pause
    be_hard_to_stop()
    try:
        claimed = claim(marker)
        if claimed is None:
            say(f"failed another pause is under way, or could not be undone: see {marker}")
            return 1
        note(claimed, containers, marker)
    except OSError as error:
        say(f"failed the pause cannot be noted in {marker}: {error.strerror}")
        return 1
    say("ready")
    if os.read(0, 100):
        return pause_and_thaw(docker, marker, limit_seconds, containers)
    Path(marker).unlink()  # nobody is there any more, and nothing has happened
    return 0


def pause_and_thaw(docker: str, marker: str, limit_seconds: float, containers: list[str]) -> int:
    """Freeze, wait, thaw; return the exit code."""
    began = time.monotonic()
    frozen, problem = freeze(docker, containers)
    if problem is None:
        say("paused")
        wait(docker, frozen, limit_seconds)
    thawed = thaw(docker, frozen)
    if thawed:
        Path(marker).unlink()  # otherwise it stays for the next start of anything of ours
        if problem is None:
            say(f"thawed {time.monotonic() - began:.3f}")
    if problem is not None:
        say(f"failed {problem}")
    return 0 if thawed and problem is None else 1


def be_hard_to_stop() -> None:
    """See to it that a busy machine, or one without memory, does not keep the tracker frozen; root only."""
    os.chdir("/")
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, 0)  # scheduled runs are nice
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("-1000", encoding="ascii")


def claim(marker: str) -> int | None:
    """Return a descriptor of the marker, locked by us; None when somebody else holds it.

    Raises OSError when it cannot be made.
    """
    give_up = time.monotonic() + CLAIM_SECONDS  # who only looks at it holds the lock for an instant
    while True:
        descriptor = os.open(marker, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), Path(marker).stat()):
                break
        except FileNotFoundError:
            pass  # it was removed between our opening and our locking it
        except BlockingIOError:
            if time.monotonic() > give_up:
                os.close(descriptor)
                return None
            time.sleep(0.02)
        os.close(descriptor)
    if os.fstat(descriptor).st_size:
        os.close(descriptor)
        return None  # left behind by others, who could not be thawed when this run began
    return descriptor


def note(descriptor: int, containers: list[str], marker: str) -> None:
    """Say on the disk what is about to be frozen; raises OSError when that cannot be."""
    text = json.dumps({"containers": containers, "pid": os.getpid(), "since": time.time()}).encode()
    try:
        if os.write(descriptor, text) < len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    except OSError:
        Path(marker).unlink()
        raise


def freeze(docker: str, containers: list[str]) -> tuple[list[str], str | None]:
    """Freeze the containers one by one; return those that are ours to thaw, and what went wrong.

    There is no time limit: a request that we stopped waiting for might be carried out after we have thawed. Whoever
    is in a hurry goes on without us.
    """
    frozen: list[str] = []
    for container in containers:
        if select.select([0], [], [], 0)[0]:
            return frozen, "nobody waits for it any more"
        try:
            done = subprocess.run(
                [docker, "pause", container], stdin=subprocess.DEVNULL, capture_output=True, check=False
            )
        except OSError as error:
            return frozen, f"docker cannot be run: {error.strerror}"
        if done.returncode == 0:
            frozen.append(container)
            continue
        said = done.stderr.decode(errors="replace").strip()
        if "is already paused" not in said:
            frozen.append(container)  # the engine may have died in the middle; thawing what is not frozen is harmless
        return frozen, " / ".join(said.splitlines()) or f"docker pause ended with {done.returncode}"
    return frozen, None


def wait(docker: str, containers: list[str], limit_seconds: float) -> None:
    """Return at the end of stdin, or when the time is over; tell meanwhile when a container goes on by itself.

    One that does is taken from `containers`: if it is frozen again later, somebody else has done that.
    """
    end = time.monotonic() + limit_seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([0], [], [], min(left, WATCH_SECONDS))[0]:
            if not os.read(0, 100):
                return
        else:
            for container in list(containers):
                if lost := goes_on(docker, container):
                    containers.remove(container)
                    say(f"lost {lost}")
    say(f"lost the pause has lasted for {limit_seconds:g} s, which is its limit")


def goes_on(docker: str, container: str) -> str | None:
    """Return what has become of a container that is not frozen any more, None while it is."""
    command = [docker, "inspect", "--type", "container", "--format", "{{.State.Status}}", container]
    code, said, problem = ask(*command)
    if code == 0 and said != "paused":
        return f"container {container[:12]}, which was paused for the copy, is {said} now"
    if "no such container" in problem:
        return f"container {container[:12]}, which was paused for the copy, has been removed"
    return None


def thaw(docker: str, containers: list[str]) -> bool:
    """Thaw the containers, and try again until none is frozen any more, or it is not there any more."""
    left = list(containers)
    end = time.monotonic() + THAW_SECONDS
    pause = 0.1
    while left := [container for container in left if not thawed(docker, container)]:
        if time.monotonic() > end:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 2)
    return True


def thawed(docker: str, container: str) -> bool:
    """Try to thaw a container and return whether it is frozen no more."""
    if ask(docker, "unpause", container)[0] == 0:
        return True
    # Somebody else may have thawed, stopped or removed it. An engine that does not answer has said nothing.
    command = [docker, "inspect", "--type", "container", "--format", "{{.State.Paused}}", container]
    code, said, problem = ask(*command)
    return (code == 0 and said == "false") or "no such container" in problem


def ask(*command: str) -> tuple[int, str, str]:
    """Run a command; return exit code, what it printed, and what it complained of, in small letters."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return -1, "", str(error)  # no memory for a process, a program that is being replaced: that passes
    return done.returncode, done.stdout.decode(errors="replace").strip(), done.stderr.decode(errors="replace").lower()


def say(text: str) -> None:
    """Tell the program that started us, if it still listens."""
    with contextlib.suppress(BrokenPipeError):
        os.write(1, f"{text}\n".encode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4:]))
