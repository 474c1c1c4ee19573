"""The files of a stack, put back one by one where they differ."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from support.engine import TrackerContainer, docker
from support.inplace_world import dress, left_over
from support.program import Installation
from support.small_disk import needs_root, small_disk
from support.tracker_standin import build_database, check_invariant

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
Start = Callable[..., TrackerContainer]


@pytest.fixture
def stack(installation: Installation) -> Path:
    """Return a stack whose files are backed up: a setting, a directory, a link, a database that is no source."""
    installation.configure(sources=[{"name": "files", "type": "files"}])
    installation.database.unlink()
    directory = installation.data
    (directory / ".env").write_text("LEVEL=1\n")
    (directory / ".env").chmod(0o640)
    (directory / "etc").mkdir()
    (directory / "etc" / "tracker.toml").write_text("old")
    (directory / "etc" / "current").symlink_to("tracker.toml")
    build_database(directory / "grafana.db", mib=0.1)
    installation.back_up()
    return directory


def restore(installation: Installation, *options: str) -> subprocess.CompletedProcess[str]:
    """Put the only backup back in place."""
    return installation.run("restore", "latest", "--in-place", "--yes", *options)


def replaced(stack: Path) -> dict[str, str]:
    """Return what lies beside the stack of what was replaced."""
    found = {}
    for directory in stack.parent.glob("pre-restore-*"):
        place = directory / str(stack).lstrip("/")
        files = [path for path in place.rglob("*") if path.is_symlink() or path.is_file()]
        for path in files:
            found[str(path.relative_to(place))] = str(path.readlink()) if path.is_symlink() else path.read_text()
    return found


def test_what_differs_comes_back_and_what_it_replaces_is_kept(installation: Installation, stack: Path) -> None:
    before = dress(stack / ".env")
    (stack / ".env").write_text("LEVEL=2\n")
    (stack / ".env").chmod(0o600)
    (stack / "etc" / "tracker.toml").unlink()
    (stack / "etc" / "current").unlink()
    (stack / "etc" / "current").symlink_to("elsewhere")
    (stack / "mine").write_text("not in the backup")
    with closing(sqlite3.connect(stack / "grafana.db")) as connection, connection:
        connection.execute("CREATE TABLE later (x)")

    done = restore(installation)

    assert done.returncode == 0, done.stderr
    assert f"replaced      {stack}/.env" in done.stdout
    assert f"new           {stack}/etc/tracker.toml" in done.stdout
    assert f"database      {stack}/grafana.db" in done.stdout
    assert f"left alone    1 that are not in the backup: {stack}/mine" in done.stdout
    assert (stack / ".env").read_text() == "LEVEL=1\n"
    assert dress(stack / ".env") == before
    assert (stack / "etc" / "current").read_text() == "old"
    assert (stack / "mine").read_text() == "not in the backup"
    assert replaced(stack) == {".env": "LEVEL=2\n", "etc/current": "elsewhere"}
    assert check_invariant(stack / "grafana.db", integrity=True)["ok"]
    [old] = stack.glob("pre-restore-*/grafana.db")
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("SELECT count(*) FROM later").fetchone() == (0,)
    assert left_over(installation) == []
    assert list(installation.staging.glob("*")) == []


def test_where_nothing_differs_nothing_is_done(installation: Installation, stack: Path) -> None:
    done = restore(installation)

    assert done.returncode == 0
    assert "Nothing was changed." in done.stdout
    assert replaced(stack) == {}


def test_owners_and_modes_that_stay_are_told(installation: Installation, stack: Path) -> None:
    """Of a file they come back with it; a directory, or a database, has to be looked at by whoever restores."""
    (stack / "etc").chmod(0o711)
    (stack / "grafana.db").chmod(0o604)

    same = restore(installation)
    with closing(sqlite3.connect(stack / "grafana.db")) as connection, connection:
        connection.execute("CREATE TABLE later (x)")
    replaced = restore(installation)

    assert "Nothing was changed." in same.stdout
    for done in (same, replaced):
        assert done.returncode == 0, done.stderr
        assert "left alone    owner and mode of 2: " in done.stdout, "and of no directory on the way to the stack"
        for path, mode in ((stack / "etc", "0711"), (stack / "grafana.db", "0604")):
            assert f"{path} ({os.geteuid()}:{os.getegid()} {mode}, in the backup " in done.stdout
    assert dress(stack / "etc")[2] == 0o711
    assert dress(stack / "grafana.db")[2] == 0o604
    assert check_invariant(stack / "grafana.db", integrity=True)["ok"]


def test_a_single_file(installation: Installation, stack: Path) -> None:
    (stack / ".env").write_text("LEVEL=2\n")
    (stack / "etc" / "tracker.toml").write_text("new")

    done = restore(installation, "--path", f"{stack}/.env")

    assert done.returncode == 0, done.stderr
    assert (stack / ".env").read_text() == "LEVEL=1\n"
    assert (stack / "etc" / "tracker.toml").read_text() == "new"
    assert restore(installation, "--path", f"{stack}/nowhere").returncode == 2


def test_a_single_file_into_a_directory(installation: Installation, stack: Path) -> None:
    target = installation.directory / "restored"

    done = installation.run("restore", "latest", "--to", str(target), "--path", f"{stack}/etc/tracker.toml")

    assert done.returncode == 0, done.stderr
    files = [path for path in target.rglob("*") if path.is_file()]
    assert files == [target / "files" / str(stack).lstrip("/") / "etc" / "tracker.toml"]
    assert installation.run("restore", "latest", "--to", f"{target}2", "--path", "/nowhere").returncode == 2
    assert not Path(f"{target}2", "files").exists()


@pytest.mark.parametrize("way", ["in place", "into a directory"])
def test_of_two_paths_each_has_to_be_there(installation: Installation, stack: Path, way: str) -> None:
    (stack / ".env").write_text("LEVEL=2\n")
    target = installation.directory / "restored"
    where = ["--in-place", "--yes"] if way == "in place" else ["--to", str(target)]
    there, missing = ["--path", f"{stack}/.env"], ["--path", f"{stack}/etc/nowhere"]

    done = installation.run("restore", "latest", *where, *there, *missing)

    assert done.returncode == 2
    assert f"do not hold {stack}/etc/nowhere\n" in done.stderr
    assert (stack / ".env").read_text() == "LEVEL=2\n"
    assert replaced(stack) == {}
    assert left_over(installation) == []
    assert not list(target.glob("*"))
    assert installation.run("restore", "latest", *where, *there).returncode == 0


def test_our_own_configuration_stays_unless_it_is_named(installation: Installation, stack: Path) -> None:
    file = installation.config_directory / "default.yml"
    before = file.read_text()
    file.write_text(f"{before}# later\n")

    assert restore(installation).returncode == 0
    assert file.read_text().endswith("# later\n")

    assert restore(installation, "--path", str(file)).returncode == 0
    assert file.read_text() == before


def test_a_directory_in_the_place_of_a_file_is_refused(installation: Installation, stack: Path) -> None:
    (stack / ".env").unlink()
    (stack / ".env").mkdir()
    (stack / "etc" / "tracker.toml").write_text("new")

    done = restore(installation)

    assert done.returncode == 1
    assert f"{stack}/.env is a directory" in done.stderr
    assert (stack / "etc" / "tracker.toml").read_text() == "new"
    assert left_over(installation) == []
    assert list(installation.staging.glob("*")) == []


def test_a_link_in_the_place_of_a_directory_is_not_followed(installation: Installation, stack: Path) -> None:
    """Whoever may write to the stack must not lead root elsewhere."""
    (stack / "etc").rename(installation.directory / "target")
    (stack / "etc").symlink_to(installation.directory / "target")
    (installation.directory / "target" / "tracker.toml").write_text("theirs")

    assert restore(installation).returncode == 1

    assert (installation.directory / "target" / "tracker.toml").read_text() == "theirs"


@needs_root
def test_what_lies_on_another_disk_is_kept_as_a_copy(installation: Installation, stack: Path) -> None:
    (stack / "etc" / "tracker.toml").unlink()
    (stack / "etc" / "current").unlink()
    (stack / "etc").rmdir()
    installation.configure(min_free="1 MiB")
    with small_disk(stack / "etc", mib=4):
        (stack / "etc" / "tracker.toml").write_text("new")
        os.chown(stack / "etc" / "tracker.toml", 1234, 1234)

        assert restore(installation).returncode == 0

        assert (stack / "etc" / "tracker.toml").read_text() == "old"
        assert replaced(stack) == {"etc/tracker.toml": "new"}


def test_only_those_who_have_it_mounted_stand_still(installation: Installation, stack: Path, engine: None) -> None:
    def run(service: str, mounted: Path) -> str:
        label = f"com.docker.compose.project.working_dir={stack}"
        name = f"tracker-backup-test-{os.getpid()}-{service}"
        options = ("--label", label, "--label", f"com.docker.compose.service={service}", "--network", "none")
        options += ("--volume", "/usr:/usr:ro", "--volume", f"{mounted}:/mounted:ro", "--stop-timeout", "1")
        docker("run", "--detach", "--name", name, *options, "tracker-backup-test:1", "/usr/bin/sleep", "1000")
        return name

    (stack / "other").mkdir()
    tracker, other = run("tracker", stack / "etc"), run("other", stack / "other")
    try:
        (stack / "etc" / "tracker.toml").write_text("new")

        done = restore(installation)

        assert done.returncode == 0, done.stderr
        assert f"stopped meanwhile: {tracker}\n" in done.stdout
        assert docker("exec", tracker, "/usr/bin/cat", "/mounted/tracker.toml") == "old"
        assert docker("inspect", "--format", "{{.State.Running}}", other) == "true"
    finally:
        docker("rm", "--force", tracker, other)


@needs_root
def test_a_file_that_cannot_be_replaced_does_not_keep_the_others_from_coming_back(
    installation: Installation, stack: Path
) -> None:
    (stack / ".env").write_text("LEVEL=2\n")
    (stack / "etc" / "tracker.toml").write_text("new")
    subprocess.run(["chattr", "+i", str(stack / "etc" / "tracker.toml")], check=True)
    try:
        done = restore(installation)
    finally:
        subprocess.run(["chattr", "-i", str(stack / "etc" / "tracker.toml")], check=True)

    assert done.returncode == 1
    assert "could not be undone" not in done.stderr
    assert (stack / ".env").read_text() == "LEVEL=2\n"
    assert (stack / "etc" / "tracker.toml").read_text() == "new"
    assert replaced(stack) == {}
    assert left_over(installation) == []


def test_a_directory_that_becomes_a_link_while_it_asks_is_not_followed(installation: Installation, stack: Path) -> None:
    (stack / "etc" / "tracker.toml").write_text("new")
    away, target = installation.directory / "away", installation.directory / "target"
    target.mkdir()
    (target / "tracker.toml").write_text("theirs")
    swapping = f"""
import os, sys
sys.path[0] = {str(SCRIPTS)!r}
from tracker_backup.cli import main, replace
def confirm(*_):
    os.rename({str(stack / "etc")!r}, {str(away)!r})
    os.symlink({str(target)!r}, {str(stack / "etc")!r})
    return True
replace._confirm = confirm
sys.exit(main(sys.argv[1:]))
"""
    command = [installation.python, "-c", swapping, "restore", "latest", "--in-place"]

    done = subprocess.run(command, env=installation.environment(), capture_output=True, text=True, check=False)

    assert done.returncode == 1, done.stderr
    assert "link" in done.stderr
    assert [path.name for path in target.iterdir()] == ["tracker.toml"]
    assert (target / "tracker.toml").read_text() == "theirs"


def test_what_has_become_a_database_since_is_replaced_as_one(installation: Installation, stack: Path) -> None:
    (stack / "later.db").touch()
    installation.back_up()
    script = "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA journal_mode=WAL');"
    script += "c.execute('CREATE TABLE late (x)'); c.execute('INSERT INTO late VALUES (7)'); c.commit(); os._exit(0)"
    subprocess.run(["python3", "-c", script, str(stack / "later.db")], check=True)

    done = restore(installation)

    assert done.returncode == 0, done.stderr
    assert [path.name for path in stack.glob("later.db*")] == ["later.db"]
    [old] = stack.glob("pre-restore-*/later.db")
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("SELECT x FROM late").fetchall() == [(7,)]


def test_hard_links_and_holes_come_back_on_a_bare_host(installation: Installation, stack: Path) -> None:
    (stack / "etc" / "one").write_text("the same file")
    (stack / "etc" / "two").hardlink_to(stack / "etc" / "one")
    with (stack / "etc" / "sparse").open("wb") as sparse:
        sparse.truncate(8 * 1024 * 1024)
    installation.back_up()
    stack.rename(stack.with_name("lost"))

    done = restore(installation)

    assert done.returncode == 0, done.stderr
    assert (stack / "etc" / "one").samefile(stack / "etc" / "two")
    assert (stack / "etc" / "one").stat().st_nlink == 2
    assert (stack / "etc" / "sparse").stat().st_blocks * 512 < 1024 * 1024
