"""Ours as contenders: the copy alone, the whole run as an administrator types it, and as cron starts it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, ClassVar

from bench.contenders import Contender
from bench.load import environment
from bench.settings import ROOT
from bench.world import Word, World
from support.program import Installation, sqlite_source
from tracker_backup.repository.store import Repository

MOST_PAUSE_SECONDS = 3600
_WITH_PROGRAMS = ROOT / "tests" / "support" / "with_programs.py"
# Stands for the container engine: freezing a process takes it no time, Docker takes 0.1 s for a container.
_DOCKER = """#!/bin/sh
directory=${{0%/*}}
case $1 in
    ps) echo '["{identifier}","running","tracker","{stack}"]' ;;
    pause) xargs kill -STOP <"$directory/pids" && touch "$directory/paused" ;;
    unpause) rm "$directory/paused" && xargs kill -CONT <"$directory/pids" ;;
    inspect) if [ -e "$directory/paused" ]; then echo paused; else echo running; fi ;;
    *) exit 1 ;;
esac
"""


class OursCopy(Contender):
    """The driver's copy of a run, without all that comes after it."""

    name = "ours-copy"
    title = "tracker-backup, copy alone"
    quick = True

    def prepare(self, world: World) -> None:
        """Put the engine's stand-in into place."""
        engine(world)

    def take(self, world: World) -> None:
        """Copy."""
        programs = engine(world)
        command: list[Word] = [
            sys.executable,
            "-m",
            "bench.ourcopy",
            world.database,
            world.stored,
            programs,
            world.directory,
        ]
        world.facts.update(json.loads(world.call(*command, env=environment())))

    def restore(self, world: World) -> None:
        """Copy it back."""
        world.call("cp", next(world.stored.rglob("*.sqlite3")), world.restored)


class Ours(Contender):
    """A whole run as on six nights of seven: copy, compression, checksums, reading back, structural check."""

    name = "ours"
    title = "tracker-backup --now"
    needs = ("zstd",)
    quick = True
    arguments: ClassVar[tuple[str, ...]] = ("--now",)
    # A database of any size is to be measured, in any mode: elsewhere two minutes are the most.
    settings: ClassVar[dict[str, Any]] = {"max_pause_seconds": MOST_PAUSE_SECONDS, "check": "quick"}

    def prepare(self, world: World) -> None:
        """Configure it and make its repository."""
        self._installation = BenchInstallation(world, self.settings)

    def take(self, world: World) -> None:
        """Make a backup."""
        engine(world)
        world.call(*self._installation.command(*self.arguments), env=self._installation.environment())
        world.facts.update(facts_of(self._installation.manifests()[-1]))

    def restore(self, world: World) -> None:
        """Restore it with the program."""
        target = world.directory / "target"
        command = self._installation.command("restore", "latest", "--to", str(target))
        world.call(*command, env=self._installation.environment())
        (target / "tracker.sqlite3").rename(world.restored)


class OursScheduled(Ours):
    """The same as cron starts it: with the lowest priority, and a thread less than there are cores."""

    name = "ours-scheduled"
    title = "tracker-backup, as scheduled"
    arguments = ("--now", "--job", "daily", "--wait", "--quiet")


class OursWeekly(Ours):
    """A whole run as on the seventh night: every entry of every index is looked up in its table."""

    name = "ours-weekly"
    title = "tracker-backup, weekly check"
    quick = False
    settings: ClassVar[dict[str, Any]] = {**Ours.settings, "check": "full"}


class BenchInstallation(Installation):
    """An installation below a run's directory; whoever freezes the tracker finds the engine's stand-in."""

    def __init__(self, world: World, settings: dict[str, Any]) -> None:
        """Make it, with `settings` in its configuration, and its repository."""
        source = {**sqlite_source("tracker", world.database), "service": "tracker"}
        repository = str(world.stored / "repository")
        super().__init__(world.directory / "host", repository=repository, sources=[source], **settings)
        self._programs = world.directory / "programs"
        Repository(self.repository).init()

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of the program."""
        return [self.python, "-I", str(_WITH_PROGRAMS), str(self._programs), *arguments]


def engine(world: World) -> Path:
    """Put the container engine's stand-in, which freezes the load, into a directory and return that."""
    programs = world.directory / "programs"
    programs.mkdir(exist_ok=True)
    docker = programs / "docker"
    docker.write_text(_DOCKER.format(identifier="0" * 64, stack=world.directory / "host" / "data"), encoding="utf-8")
    docker.chmod(0o755)
    (programs / "pids").write_text("\n".join(map(str, world.load_pids)), encoding="ascii")
    return programs


def facts_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the figures that a backup's manifest holds."""
    artifact = manifest["artifacts"][0]
    return {
        "state": artifact["state"],
        "method": artifact["method"],
        "copy_seconds": artifact["copy_seconds"],
        "reported_stall_seconds": round(artifact["pause_seconds"] + artifact["write_stall_seconds"], 3),
        "phases": manifest["seconds"],
    }
