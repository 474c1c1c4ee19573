"""The same for a MySQL schema: dumps side by side, on rows as the tracker has them.

CPU seconds are counted for the server and for everything else: on few cores it is those that decide. With APART=1
server and client share the first core and all else has the second, which shows whether what is behind the client keeps
up with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.dumps import CONTENDERS, SCHEMA, USER, DumpContender, Site
from bench.machine import drop_caches, sync
from bench.measure import Cost, measured, process_seconds
from bench.settings import Settings
from bench.world import FailedError, TooLongError, World, bytes_below
from support.database_servers import Server, client, running
from support.mysql_program import least_user
from support.mysql_world import tracker_schema

FLAVOUR = "mysql-9.7"
RESTORED = "restored"
_SUM = "SELECT COUNT(*), SUM(CRC32(info_hash)), SUM(completed), MAX(id) FROM torrents"


def missing(settings: Settings) -> str | None:
    """Return what is left out and why, None when nothing is."""
    if not settings.rows:
        return None
    if (needed := _server_missing()) is not None:
        return f"MySQL, since there is no {needed} (INSTALL=1 installs it)"
    lacking = {each.title: each.missing(settings.directory) for each in CONTENDERS}
    said = [f"{title}, since there is no {needed}" for title, needed in lacking.items() if needed]
    return "; ".join(said) or None


def names(settings: Settings) -> list[str]:
    """Return the contenders that will be measured."""
    return [] if _server_missing() else [contender.name for contender in chosen(settings)]


def versions(settings: Settings) -> dict[str, str]:
    """Return the version of the server, and so of its client."""
    if not settings.rows or _server_missing():
        return {}
    command = [client(FLAVOUR).dump[0], "--version"]
    words = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return {"mysql": words[words.index("Ver") + 1]}


def chosen(settings: Settings) -> list[DumpContender]:
    """Return the contenders that are installed and asked for."""
    there = [each for each in CONTENDERS if each.missing(settings.directory) is None]
    return [each for each in there if not settings.only or each.name in (*settings.only, "client", "gzip")]


def runs(settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield the runs; nothing where MySQL is left out."""
    if not settings.rows or _server_missing():
        return
    print(f"\n{FLAVOUR}, {settings.rows} rows", flush=True)
    place = settings.directory / "mysql"
    shutil.rmtree(place, ignore_errors=True)  # of a benchmark that was killed
    try:
        with running(FLAVOUR, place / "server") as server, _cores(server, apart=settings.apart):
            tracker_schema(server, SCHEMA, rows=settings.rows)
            least_user(server, SCHEMA, SCHEMA)
            server.user(USER.name, USER.password, "ALL PRIVILEGES ON *.*")
            site = Site(server, place, apart=settings.apart)
            contenders = chosen(settings)
            for number in range(1, settings.runs + 1):
                shift = (number - 1) * len(contenders) // settings.runs
                for contender in contenders[shift:] + contenders[:shift]:
                    run = run_once(settings, site, contender, number)
                    said = "" if run["outcome"] == "ok" else f", {run['outcome'].upper()}: {run['said']}"
                    print(f"  {number}  {contender.title:30} {run['seconds']:8.2f} s{said}", flush=True)
                    yield run
    finally:
        shutil.rmtree(place, ignore_errors=True)  # the figures count, and the next benchmark tries it again


def run_once(settings: Settings, site: Site, contender: DumpContender, number: int) -> dict[str, Any]:
    """Let a contender dump, load what it made into another schema in the first round, and return the figures."""
    directory = settings.directory / "run"
    shutil.rmtree(directory, ignore_errors=True)  # of a benchmark that was killed; what stays fails the next line
    (directory / "stored").mkdir(parents=True)
    world = World(settings, site.server.data, directory)
    found: dict[str, Any] = {"kind": "mysql", "rows": settings.rows, "contender": contender.name, "round": number}
    found |= {"apart": settings.apart, "flavour": FLAVOUR, "outcome": "ok", "said": ""}
    try:
        contender.prepare(world, site)
        drop_caches()
        before = process_seconds(site.server.pid)
        cost = _take(contender, world, site, found)
        found |= {"seconds": round(cost.seconds, 3), "cpu_seconds": round(cost.cpu_seconds, 2)}
        found["server_cpu_seconds"] = round(process_seconds(site.server.pid) - before, 2)
        found |= {"anonymous_bytes": cost.anonymous_bytes, "stored_bytes": bytes_below(world.stored), **world.facts}
        if number == 1 and contender.restores and found["outcome"] == "ok":
            found |= _restore(contender, world, site)
    finally:
        shutil.rmtree(directory)
    return found


def _take(contender: DumpContender, world: World, site: Site, found: dict[str, Any]) -> Cost:
    with measured(os.getpid(), lambda: [site.server.pid]) as cost:
        try:
            contender.take(world, site)
        except (FailedError, TooLongError) as error:
            found |= {"outcome": "failed" if isinstance(error, FailedError) else "too long", "said": str(error)}
        sync(world.stored)
    return cost


def _restore(contender: DumpContender, world: World, site: Site) -> dict[str, Any]:
    """Load the dump into a schema of its own and compare sums."""
    world.restoring = True
    wanted = site.server.sql(_SUM, SCHEMA)
    site.server.sql(f"CREATE DATABASE {RESTORED} CHARACTER SET utf8mb4")
    began = time.monotonic()
    try:
        contender.load(world, site, RESTORED)
        seconds = time.monotonic() - began
        sound = site.server.sql(_SUM, RESTORED) == wanted
    except (FailedError, TooLongError) as error:
        return {"sound": False if isinstance(error, FailedError) else None, "checked": f"restore: {error}"}
    finally:
        site.server.sql(f"DROP DATABASE {RESTORED}")
    return {"restore_seconds": round(seconds, 3), "sound": sound, "checked": "rows and their sums compared"}


@contextmanager
def _cores(server: Server, *, apart: bool) -> Iterator[None]:
    """Give server and client the first core and all else the second, if asked to, while the block lasts."""
    if not apart:
        yield
        return
    allowed = os.sched_getaffinity(0)
    command = ["taskset", "--all-tasks", "--cpu-list", "--pid", "0", str(server.pid)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    os.sched_setaffinity(0, {1})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _server_missing() -> str | None:
    """Return what a server is built with where that is missing."""
    return None if shutil.which("mmdebstrap") else "mmdebstrap"
