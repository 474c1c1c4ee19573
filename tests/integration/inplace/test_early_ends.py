"""A restore in place that ends before it has touched anything live: it is cleared up after, and no backup minds it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.engine import TrackerContainer
from support.inplace_world import back_up_and_go_on, dress, expect_whole, kept, left_over, mark
from support.program import Installation, sqlite_source
from support.small_disk import needs_root
from support.tracker_standin import build_database

pytestmark = pytest.mark.guarantee(9)

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
Start = Callable[..., TrackerContainer]
RESTORE = ("restore", "latest", "--in-place", "--yes")
DIE = """
import os, sys
sys.path[0] = sys.argv.pop(1)
from tracker_backup.cli import main
from tracker_backup.inplace import engine, unpacked
{place} = lambda *_: os.kill(os.getpid(), 9)
sys.exit(main())
"""
READY, STOPPED = "engine.Engine._replace", "engine.refuse_openers"
"""Where to die: with all made ready and nothing stopped, or with the tracker stopped and nothing replaced."""


def die(installation: Installation, place: str = READY) -> list[Path]:
    """Restore the only backup in place and be killed there; return what it had made ready."""
    command = [sys.executable, "-I", "-c", DIE.format(place=place), str(SCRIPTS), *RESTORE]
    done = subprocess.run(command, env=installation.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return ready(noted(installation))


def ready(note: Any) -> list[Path]:
    """Return what a note says that is made ready beside live files, whatever the type of the source."""
    parts = [part["state"] for part in note["parts"]]
    each = [one for part in parts for one in (part, *part.get("entries", ()), *part.get("databases", ()))]
    return [Path(one["new"]) for one in each if "new" in one]


def noted(installation: Installation) -> Any:
    """Return the note of the restore."""
    return json.loads((installation.directory / "state" / "restoring.json").read_text())


def note_as_before(installation: Installation) -> list[Path]:
    """Give the note its earlier form, and move what is ready to the names in it; return the places."""
    text = json.dumps(noted(installation))
    identifier = noted(installation)["id"]
    for part in noted(installation)["parts"]:
        state = part["state"]
        for number, one in enumerate([state, *state.get("entries", ()), *state.get("databases", ())]):
            if "new" not in one:
                continue
            name = str(number) if "tree" in one else Path(one["live"]).name
            place = Path(one["new"]).with_name(f".{name}.restoring-{identifier}")
            if len(os.fsencode(place.name)) <= 255:
                Path(one["new"]).rename(place)
            else:
                Path(one["new"]).unlink()
            text = text.replace(one["new"], str(place))
    (installation.directory / "state" / "restoring.json").write_text(text)
    return ready(noted(installation))


@pytest.fixture(params=["sqlite", "files"])
def differing(installation: Installation, request: pytest.FixtureRequest) -> Installation:
    """Return an installation with a backup of "old", whose live database, and another file, are "new"."""
    if request.param == "files":
        installation.configure(sources=[{"name": "files", "type": "files"}])
    setting = installation.data / "setting"
    setting.write_text("old")
    back_up_and_go_on(installation)
    setting.write_text("new")
    return installation


def expect_untouched(installation: Installation) -> None:
    """Check that the live database is the one that it was."""
    assert expect_whole(installation.database) == "new"
    assert kept(installation) == []


@contextmanager
def unremovable(path: Path) -> Iterator[None]:
    """Keep root itself from removing a file, for the time of the block."""
    subprocess.run(["chattr", "+i", str(path)], check=True)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", str(path)], check=True)


def test_nobody_can_be_there_first(differing: Installation) -> None:
    """The names of the earlier form could be known before, by whoever may write to the directory."""
    identifier = differing.manifests()[0]["id"]
    for name in ("tracker.db", *map(str, range(20))):
        (differing.data / f".{name}.restoring-{identifier}").mkdir()

    done = differing.run(*RESTORE)

    assert done.returncode == 0, done.stderr
    assert expect_whole(differing.database) == "old"
    assert differing.run("--now", "-q").returncode == 0


def test_a_directory_in_its_place_stays_and_is_told_and_is_in_no_backups_way(differing: Installation) -> None:
    made = die(differing)
    for path in made:
        path.unlink()
        path.mkdir()

    done = differing.run("--now", "-q")

    assert done.returncode == 0, done.stderr
    for path in made:
        assert path.is_dir(), "it is not ours"
        assert f"{path} is a directory, which no restore has made" in done.stderr
        assert str(path) in differing.log.read_text()
        path.rmdir()
    assert left_over(differing) == []
    expect_untouched(differing)
    assert differing.run(*RESTORE).returncode == 0


def test_a_note_of_the_earlier_form_is_understood(differing: Installation) -> None:
    die(differing)
    places = note_as_before(differing)
    assert all(path.exists() for path in places)
    planted = places[0]
    planted.unlink()
    planted.mkdir()

    done = differing.run("--now", "-q")

    assert done.returncode == 0, done.stderr
    assert f"{planted} is a directory" in done.stderr
    planted.rmdir()
    assert left_over(differing) == []
    expect_untouched(differing)


@pytest.fixture
def long_named(installation: Installation) -> Installation:
    """Return an installation whose database has the longest name that SQLite can do with."""
    name = "t" * (255 - len("-journal"))
    database = installation.database.with_name(name)
    installation.database.rename(database)
    installation.configure(sources=[{**sqlite_source("tracker", database), "service": "tracker"}])
    mark(database, "old")
    installation.back_up()
    mark(database, "new")
    return installation


def test_a_name_may_be_as_long_as_names_can_be(long_named: Installation) -> None:
    done = long_named.run(*RESTORE)

    assert done.returncode == 0, done.stderr
    [database] = long_named.data.glob("t*t")
    assert expect_whole(database) == "old"
    assert long_named.run("--now", "-q").returncode == 0


def test_so_may_that_of_any_other_file(installation: Installation) -> None:
    installation.configure(sources=[{"name": "files", "type": "files"}])
    replaced, missing = installation.data / ("r" * 255), installation.data / ("m" * 255)
    for path in (replaced, missing):
        path.write_text("old")
    installation.back_up()
    replaced.write_text("new")
    missing.unlink()

    done = installation.run(*RESTORE)

    assert done.returncode == 0, done.stderr
    assert (replaced.read_text(), missing.read_text()) == ("old", "old")


def test_what_the_earlier_form_could_not_name_is_in_nobodys_way(long_named: Installation) -> None:
    die(long_named)
    assert [len(path.name) > 255 for path in note_as_before(long_named)] == [True]

    done = long_named.run("--now", "-q")

    assert done.returncode == 0, done.stderr
    assert "undid the restore" in done.stderr
    assert left_over(long_named) == []


@needs_root
def test_what_cannot_be_cleared_up_is_told_and_the_backup_goes_on(differing: Installation) -> None:
    made = die(differing)
    note = differing.directory / "state" / "restoring.json"
    with unremovable(made[0]):
        done = differing.run("--now", "-q")
        refused = differing.run(*RESTORE)

        assert done.returncode == 0, done.stderr
        assert len(differing.manifests()) == 2
        log = differing.log.read_text()
        for said in (done.stderr, log):
            assert f"Operation not permitted: {made[0]}" in said
        assert "the backup goes on" in log
        assert f"{note}, which names what is left" in log
        assert refused.returncode == 1
        assert "find out why it cannot be removed, remove it, then try again" in refused.stderr
        expect_untouched(differing)

    assert "undid the restore" in differing.run("list").stderr
    assert left_over(differing) == []


def test_another_directory_in_the_place_of_the_one_it_worked_in(differing: Installation) -> None:
    die(differing)
    away = differing.directory / "away"
    differing.data.rename(away)
    differing.data.mkdir()
    build_database(differing.database, mib=1)

    done = differing.run("--now")

    assert done.returncode == 0, done.stderr
    assert "is its volume mounted" in done.stderr
    assert "the backup goes on" in done.stderr


@needs_root
def test_the_tracker_does_not_stand_still_for_what_cannot_be_cleared_up(
    installation: Installation, start_container: Start
) -> None:
    back_up_and_go_on(installation)
    tracker = start_container()
    [made] = die(installation, STOPPED)
    assert tracker.state() == "exited"
    with unremovable(made):
        assert f"Operation not permitted: {made}" in installation.run("list").stderr
        assert tracker.state() == "running"
        tracker.expect_writes()

        done = installation.run("--now", "-q")

        assert done.returncode == 0, done.stderr
        assert tracker.state() == "running"
    assert "undid the restore" in installation.run("list").stderr
    assert left_over(installation) == []
    assert tracker.stop()["failed"] == 0


def test_once_it_has_touched_the_live_one_no_backup_is_made_of_what_may_be_anything(differing: Installation) -> None:
    die(differing, "engine.Engine._start")
    away = differing.directory / "away"
    differing.data.rename(away)
    differing.data.mkdir()
    build_database(differing.database, mib=0.1)

    done = differing.run("--now", "-q")

    assert done.returncode == 1
    assert len(differing.manifests()) == 1


def test_a_link_that_leads_nowhere_has_the_name_of_what_is_kept(differing: Installation) -> None:
    name = f"pre-restore-{differing.manifests()[0]['id']}"
    for directory in (differing.data, differing.data.parent):
        (directory / name).symlink_to("nowhere")

    done = differing.run(*RESTORE)

    assert done.returncode == 0, done.stderr
    assert expect_whole(differing.database) == "old"
    [old] = differing.data.glob(f"{name}-2/tracker.db")
    assert expect_whole(old) == "new"


@pytest.mark.guarantee(13)
def test_a_link_in_its_place_is_not_followed(installation: Installation) -> None:
    """Whoever may write to the directory has all the time that the check takes."""
    back_up_and_go_on(installation)
    victim = installation.directory / "victim"
    victim.write_text("somebody else's")
    victim.chmod(0o600)
    before = dress(victim)
    plant = f"lambda self, path: (path.unlink(), path.symlink_to({str(victim)!r}), None)[-1]"
    script = DIE.format(place=f"unpacked.FromArtifact.check = {plant}; unused")
    command = [sys.executable, "-I", "-c", script, str(SCRIPTS), *RESTORE]

    done = subprocess.run(command, env=installation.environment(), capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "is a link now" in done.stderr
    assert dress(victim) == before
    assert victim.read_text() == "somebody else's"
    assert left_over(installation) == []
    expect_untouched(installation)
