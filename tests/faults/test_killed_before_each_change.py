"""kill -9 before each single change that a command makes: every rename, deletion, new file, write, flush and fork."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from support.databases import tracker_database
from support.inplace_world import OWNER, dress
from support.instants import Scene, scenes, strike
from support.killing import (
    Backups,
    expect_intact,
    expect_nothing_goes_on,
    next_start,
    visible,
)
from support.program import ROOT, Installation, sqlite_source
from support.tracker_standin import check_invariant
from tracker_backup.moving.note import PLACED, STOPPING, Arriving, Leaving, Notebook
from tracker_backup.repository.store import Repository

Tally = Callable[[str, int], None]
BEFORE, NOW = 3, 2
"""So many backups were kept until now, and so many are from now on."""


def in_use(directory: Path, sources: Sequence[str] = ("tracker",)) -> Installation:
    """Return an installation with some backups, of which the policy will condemn the oldest."""
    installation = Installation(directory)
    for name in sources:
        tracker_database(installation.data / f"{name}.db", 0.1)
    configured = [sqlite_source(name, installation.data / f"{name}.db") for name in sources]
    installation.configure(sources=configured, jobs=[{"name": "daily", "keep": {"last": BEFORE}}])
    Repository(installation.repository).init()
    for _ in range(BEFORE):
        installation.back_up()
    installation.configure(jobs=[{"name": "daily", "keep": {"last": NOW}}])
    return installation


def expect_notes_whole(installation: Installation) -> None:
    """Check that what stands in the state directory is whole, and that nothing half written lies there."""
    for file in (installation.directory / "state").glob("*.json"):
        json.loads(file.read_bytes())


def expect_no_litter(installation: Installation) -> None:
    """Check that no temporary file is left where nothing is swept."""
    places = (installation.directory / "state", installation.repository, installation.directory)
    litter = [path.name for place in places if place.is_dir() for path in place.glob(".*.????????")]
    assert litter == []


class Looks:
    """Looks at a repository after a kill, and whether the next start is well."""

    def __init__(
        self,
        every: Sequence[Scene],
        *,
        heal: Callable[[Installation], None] = lambda _: None,
        but_for_the_mark: bool = False,
    ) -> None:
        self._but_for_the_mark = but_for_the_mark
        self._before = {each: self._seen(each.installation) for each in every}
        self._heal = heal

    def _seen(self, installation: Installation) -> Backups:
        seen = visible(installation)
        if self._but_for_the_mark:
            return {name: {file: files[file] for file in files if file != ".keep"} for name, files in seen.items()}
        return seen

    def __call__(self, scene: Scene, _: str) -> None:
        installation = scene.installation
        expect_nothing_goes_on(installation)
        expect_notes_whole(installation)
        seen = self._seen(installation)
        expect_intact(self._before[scene], seen, NOW)
        assert all((installation.repository / ".quarantine" / kept.name / "manifest.json").exists()
                   for kept in installation.quarantined())  # fmt: skip
        self._heal(installation)
        next_start(installation)
        expect_intact(seen, self._seen(installation), NOW)
        expect_no_litter(installation)


@pytest.mark.guarantee(1, 2, 5, 16)
def test_a_run_that_publishes_and_prunes(tmp_path: Path, tally: Tally) -> None:
    every = scenes(tmp_path, in_use)
    killed = strike(every, ["--now"], Looks(every), few=6)
    tally("instants killed", killed)
    assert killed > 3


@pytest.mark.guarantee(1, 2, 4, 5)
def test_a_run_that_prunes_publishes_a_part_and_quarantines(tmp_path: Path, tally: Tally) -> None:
    """One of two databases is damaged, and so was it before: its copy takes the earlier one's place in quarantine."""
    sound: list[bytes] = []

    def make(directory: Path) -> Installation:
        installation = in_use(directory, ("tracker", "index"))
        index = installation.data / "index.db"
        sound.append(index.read_bytes())
        index.write_bytes(sound[0][: 4096 * 8] + b"\xa5" * 8192 + sound[0][4096 * 10 :])
        installation.configure(jobs=[{"name": "daily", "keep": {"last": BEFORE + 1}}])
        assert installation.run("--now").returncode == 3
        assert len(installation.quarantined()) == 1
        installation.configure(jobs=[{"name": "daily", "keep": {"last": NOW}}])
        return installation

    def heal(installation: Installation) -> None:
        (installation.data / "index.db").write_bytes(sound[0])

    every = scenes(tmp_path, make)
    killed = strike(every, ["--now"], Looks(every, heal=heal), few=6)
    tally("instants killed", killed)
    assert killed > 3


@pytest.mark.guarantee(1, 2, 5)
@pytest.mark.parametrize("words", ["prune", "keep", "unkeep", "verify --all --full"])
def test_what_looks_after_a_repository(tmp_path: Path, tally: Tally, words: str) -> None:
    marks = words in ("keep", "unkeep")

    def make(directory: Path) -> Installation:
        installation = in_use(directory)
        if words == "unkeep":
            assert installation.run("keep", max(visible(installation))).returncode == 0
        return installation

    every = scenes(tmp_path, make)
    newest = max(visible(every[0].installation))
    look = Looks(every, but_for_the_mark=marks)
    killed = strike(every, [words, newest] if marks else words.split(), look, few=2)
    tally("instants killed", killed)
    assert killed > 1


def expect_whole(database: Path) -> None:
    """Check a database without leaving anything beside it, as opening it does."""
    elsewhere = database.parent.with_name("looked-at")
    shutil.copyfile(database, elsewhere)
    assert check_invariant(elsewhere, integrity=True)["ok"]


@pytest.mark.guarantee(1, 9, 13)
def test_a_restore_into_a_directory(tmp_path: Path, tally: Tally) -> None:
    """Under its name a restored database is whole; the repository is as it was, and the same command works then."""
    every = [Scene(in_use(tmp_path / "host"))]
    before = visible(every[0].installation)

    def look(scene: Scene, _: str) -> None:
        installation, target = scene.installation, scene.installation.directory / "restored"
        expect_nothing_goes_on(installation)
        assert visible(installation) == before
        database = target / "tracker.sqlite3"
        if database.exists():
            expect_whole(database)
            database.unlink()
        done = installation.run("restore", "latest", "--to", str(target))
        assert done.returncode == 0, done.stderr
        expect_whole(database)

    target = str(every[0].installation.directory / "restored")
    killed = strike(every, ["restore", "latest", "--to", target], look, few=4)
    tally("instants killed", killed)
    assert killed > 1


FOREIGN = b'# mine\nMAILTO=""\n0 1 * * * echo a % b\r\n#no last newline'


@pytest.mark.guarantee(8, 1)
@pytest.mark.parametrize("action", ["apply", "remove"])
def test_the_crontab(tmp_path: Path, tally: Tally, action: str) -> None:
    """It is the old one or the new one, foreign lines byte for byte, and still belongs to whom it belonged."""

    def make(directory: Path) -> Installation:
        installation = Installation(directory, jobs=[{"name": "daily", "schedule": "0 3 * * *"}])
        Repository(installation.repository).init()
        crontab = installation.directory / "crontab"
        crontab.write_bytes(FOREIGN)
        crontab.chmod(0o640)
        os.chown(crontab, *OWNER[:2])
        if action == "remove":
            assert installation.run("schedule", "apply").returncode == 0
        return installation

    every = scenes(tmp_path, make)
    after: dict[Scene, set[bytes]] = {}
    for scene in every:
        crontab = scene.installation.directory / "crontab"
        after[scene] = {crontab.read_bytes()}
        assert scene.installation.run("schedule", action).returncode == 0
        after[scene].add(crontab.read_bytes())
        assert len(after[scene]) == 2

    def look(scene: Scene, _: str) -> None:
        crontab = scene.installation.directory / "crontab"
        assert crontab.read_bytes() in after[scene]
        assert crontab.read_bytes().startswith(FOREIGN)
        assert dress(crontab) == OWNER
        assert scene.installation.run("schedule", action).returncode == 0
        assert scene.installation.run("schedule", "apply").returncode == 0
        assert scene.installation.run("schedule", "show").returncode == 0
        expect_no_litter(scene.installation)

    killed = strike(every, ["schedule", action], look, few=3)
    tally("instants killed", killed)
    assert killed > 1


NOTE = f"""
import sys
sys.path[:0] = [{str(ROOT / "scripts")!r}, {str(ROOT / "tests")!r}]
import signal
from pathlib import Path
from support.dying import Death
from tracker_backup.moving.note import *
notebook = Notebook(Path(sys.argv[2]))
note = notebook.leaving()
Death(int(sys.argv[1]), signal.SIGKILL).watch()
notebook.write(Leaving(LEFT, note.ran, note.policies, "id", {{"tracker": {{"torrents": 3}}}}))
notebook.forget(ARRIVING_NAME)
"""


@pytest.mark.guarantee(17)
def test_the_notes_of_a_move(tmp_path: Path, tally: Tally) -> None:
    """What is noted is the old step or the new one, whole; forgotten is the arrival only after the leaving is noted."""
    killed = 0
    old, new = Leaving(STOPPING, ("tracker",), {"abc": "always"}), "left"
    while True:
        notebook = Notebook(tmp_path / str(killed))
        notebook.write(old)
        notebook.write(Arriving("id", PLACED))
        command = [sys.executable, "-c", NOTE, str(killed + 1), str(tmp_path / str(killed))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        noted = notebook.leaving()
        assert noted is not None
        assert noted == old or (noted.step, noted.ran, noted.backup) == (new, old.ran, "id")
        assert notebook.arriving() is not None or noted.step == new
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        killed += 1
    tally("instants killed", killed)
    assert (killed > 4, noted.step, notebook.arriving()) == (True, new, None)
