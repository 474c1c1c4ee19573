"""One run of one contender on one SQLite database: everything around it, and its figures."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.contenders import Backup, Borgmatic, Contender, Cp, DumpZstd, Incumbent, Nothing, Restic, VacuumInto
from bench.databases import check, make_ready
from bench.figures import summary, timeline, unavailable_seconds
from bench.load import Load
from bench.machine import drop_caches, sync
from bench.measure import Cost, measured
from bench.ours import Ours, OursCopy, OursScheduled, OursWeekly
from bench.settings import Case, Settings, writes_a_second
from bench.world import FailedError, TooLongError, World, bytes_below

CONTENDERS: tuple[Contender, ...] = (
    Nothing(),
    Cp(),
    OursCopy(),
    Ours(),
    OursScheduled(),
    OursWeekly(),
    Backup(),
    VacuumInto(),
    Incumbent(),
    DumpZstd(),
    Borgmatic(),
    Restic(),
)
ALWAYS = ("none", "cp")
"""What all others are compared with."""

CHECKED_EVERY_TIME = 512 * 1024**2


def chosen(settings: Settings, case: Case) -> list[Contender]:
    """Return the contenders of a case that are installed."""
    wanted = [each for each in CONTENDERS if each.quick or settings.is_main(case)]
    if settings.only:
        wanted = [each for each in CONTENDERS if each.name in (*settings.only, *ALWAYS)]
    return [each for each in wanted if each.missing(settings.directory) is None]


def run_once(settings: Settings, case: Case, contender: Contender, number: int) -> dict[str, Any]:
    """Let a contender copy while the tracker works, restore what it made, and return the figures of round `number`."""
    database = make_ready(settings, case)
    with _directory(settings) as directory, tempfile.TemporaryDirectory(dir=_memory()) as logs:
        world = World(settings, database, directory, case.mode, writes=case.rate != "0")
        contender.prepare(world)
        sync(directory)
        found: dict[str, Any] = {"kind": "sqlite", **vars(case), "contender": contender.name, "round": number}
        found["caches_dropped"] = drop_caches()
        found["source_bytes"] = database.stat().st_size
        with Load(database, writes_a_second(case.rate), Path(logs)) as load:
            world.load = load
            time.sleep(settings.settle)
            found["outcome"], found["said"], cost = _take(contender, world)
            world.load = None
            time.sleep(settings.after)
        found |= _of_cost(world, cost) | _of_load(load, cost, settings)
        found |= world.facts
        # The copies of rounds after the first are like those of the first: large ones are not loaded and read again.
        if number == 1 or found["source_bytes"] < CHECKED_EVERY_TIME:
            found |= _restore(contender, world, found["outcome"])
    return found


def _take(contender: Contender, world: World) -> tuple[str, str, Cost]:
    """Return `ok`, `failed` or `too long`, what was said, and the cost of it, on disk."""
    outcome, said = "ok", ""
    with measured(os.getpid(), lambda: world.load_pids) as cost:
        try:
            contender.take(world)
        except FailedError as error:
            outcome, said = "failed", str(error)
        except TooLongError as error:
            outcome, said = "too long", str(error)
        if contender.name != "none":
            sync(world.stored)
    return outcome, said, cost


def _of_cost(world: World, cost: Cost) -> dict[str, Any]:
    return {
        "seconds": round(cost.seconds, 3),
        "cpu_seconds": round(cost.cpu_seconds - world.others_cpu_seconds, 2),
        "anonymous_bytes": cost.anonymous_bytes,
        "stored_bytes": bytes_below(world.stored),
        "outage_seconds": round(world.outage_seconds, 3),
    }


def _of_load(load: Load, cost: Cost, settings: Settings) -> dict[str, Any]:
    """Return what the tracker felt."""
    writes, reads = load.operations("write"), load.operations("read")
    began, ended, first, last = cost.began, cost.ended, cost.began - settings.settle, cost.ended + settings.after
    return {
        "writes": summary(writes, began, ended),
        "reads": summary(reads, began, ended),
        "reads_after": summary(reads, ended, last),
        "unavailable_seconds": unavailable_seconds(writes, began, ended) if writes else None,
        "timeline": timeline(writes or reads, began, first, last),
    }


def _restore(contender: Contender, world: World, outcome: str) -> dict[str, Any]:
    """Restore what was stored and look whether it is sound."""
    if contender.name == "none":
        return {}
    if outcome != "ok":
        return {"sound": False, "checked": "there is no copy"}
    world.restored.parent.mkdir()
    world.restoring = True
    drop_caches()
    began = time.monotonic()
    try:
        contender.restore(world)
    except (FailedError, TooLongError) as error:
        # Too slow to be waited for says nothing about the copy.
        return {"sound": False if isinstance(error, FailedError) else None, "checked": f"restore: {error}"}
    sync(world.restored.parent)
    seconds = time.monotonic() - began
    sound, said = check(world.restored)
    return {"restore_seconds": round(seconds, 3), "sound": sound, "checked": said}


@contextmanager
def _directory(settings: Settings) -> Iterator[Path]:
    """Make a run's own directory, and remove it with all that a run has left there."""
    directory = settings.directory / "run"
    shutil.rmtree(directory, ignore_errors=True)  # of a benchmark that was killed; what stays fails the next line
    (directory / "stored").mkdir(parents=True)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


def _memory() -> str | None:
    """Return a directory in memory for logs, so that writing them waits for no disk; None where there is none."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a private directory is made below it
