"""One instant after another at which a program is about to change something, dealt out to several installations."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support.faults import FULL
from support.killing import LANES, changes, die, was_hit
from support.program import Installation


class Scene:
    """An installation that can be put back to where it was."""

    def __init__(self, installation: Installation) -> None:
        """Remember what is below its directory."""
        self.installation = installation
        self._template = installation.directory.with_name(f"{installation.directory.name}-template")
        _copy(installation.directory, self._template)

    def reset(self) -> None:
        """Put all back."""
        shutil.rmtree(self.installation.directory)
        _copy(self._template, self.installation.directory)


def _copy(directory: Path, to: Path) -> None:
    """Copy a directory with owners, modes and times."""
    subprocess.run(["cp", "--archive", "--no-target-directory", directory, to], check=True)


def scenes(directory: Path, make: Callable[[Path], Installation]) -> list[Scene]:
    """Return an installation and, where many instants are tried, another one with the same backups."""
    first = make(directory / "0")
    return [Scene(first), *(Scene(copied(first, directory / str(lane))) for lane in range(1, LANES))]


def copied(installation: Installation, directory: Path) -> Installation:
    """Return an installation in another directory with the same backups, databases and settings."""
    _copy(installation.directory, directory)
    made = Installation(directory)
    moved = json.dumps(installation.settings).replace(str(installation.directory), str(directory))
    made.configure(**json.loads(moved))
    return made


def instants(few: int, scene: Scene, arguments: Sequence[str]) -> Iterator[int]:
    """Yield all instants there are, one after the other; in the short form a `few`, each from another part of a run."""
    if FULL:
        yield from itertools.count(1)
    scene.reset()
    there_are = changes(scene.installation, *arguments)
    assert there_are >= few, f"{' '.join(arguments)} makes {there_are} changes"
    for part in range(few):
        yield random.randint(1 + there_are * part // few, there_are * (part + 1) // few)


def strike(
    scenes: Sequence[Scene],
    arguments: Sequence[str],
    look: Callable[[Scene, str], None],
    *,
    few: int,
    numbers: Sequence[signal.Signals] = (signal.SIGKILL,),
) -> int:
    """Run the program again and again, and send it a signal before one change after another, until it makes no more.

    `look` is called after each, with where it was; what it finds wrong is told with the instant. Returns how often.
    """
    left, guard, hit = instants(few, scenes[0], arguments), threading.Lock(), Counter[str]()

    def lane(scene: Scene) -> None:
        while True:
            with guard:
                instant = next(left, None)
            if instant is None:
                return
            scene.reset()
            number = random.choice(numbers)
            done = die(scene.installation, instant, *arguments, number=number)
            where = was_hit(done)
            if where is None:
                return
            try:
                if number == signal.SIGKILL:
                    assert done.returncode == -number, done.stderr
                look(scene, f"exit {done.returncode} for {number.name}: {done.stderr}")
            except BaseException as error:
                error.add_note(
                    f"{number.name} before change {instant} of {' '.join(arguments)}: {where}\n{done.stderr}"
                )
                raise
            hit[where.partition(" ")[0]] += 1

    with ThreadPoolExecutor(len(scenes)) as lanes:
        for ended in [lanes.submit(lane, scene) for scene in scenes]:
            ended.result()
    print(f"{' '.join(arguments)}: {hit.total()} times, before {dict(hit.most_common())}")
    return hit.total()
