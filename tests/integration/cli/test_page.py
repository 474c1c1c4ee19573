"""status --html: the real program writes a page of real backups, for whom it is meant, or says why it cannot."""

from __future__ import annotations

import grp
import json
import os
import re
import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from support.documents import ROOT
from support.htmlpage import read_page
from support.instance import Instance, nobody

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs other users, and a disk of its own")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "status.html"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_page_of_real_backups(instance: Instance, page: Path) -> None:
    assert instance.run("schedule", "apply").returncode == 0
    for _ in range(2):
        assert instance.run("--now", "--job", "daily", "--quiet").returncode == 0

    done = instance.run("status", "--html", str(page))

    plain = instance.run("status")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, plain.stdout.splitlines()[0])
    found = read_page(page.read_text(encoding="utf-8"))
    assert "OK: Every job has its verified backup." in found.one("div", class_="verdict").text()
    newest = instance.ids()[-1]
    [job] = found.one("table", aria_label="Jobs").rows()
    [source] = found.one("table", aria_label="Sources").rows()
    assert newest in job["Last verified backup"]
    assert newest in source["Last verified backup"]
    assert source["Newest copy"].startswith("verified ")
    assert [row["Backup"] for row in found.one("table", aria_label="Backups, newest first").rows()] == instance.ids()[
        ::-1
    ]
    assert [len(drawing.all("g")) for drawing in found.all("svg")] == [2, 2, 2]


def test_it_is_its_owner_s_alone_until_he_says_otherwise(instance: Instance, page: Path) -> None:
    instance.run("status", "--html", str(page))
    assert mode(page) == 0o600
    before = page.stat().st_ino

    page.chmod(0o644)
    if os.geteuid() == 0:
        os.chown(page, 0, 33)
    owner = page.stat().st_uid, page.stat().st_gid
    instance.run("status", "--html", str(page))

    assert (mode(page), page.stat().st_uid, page.stat().st_gid) == (0o644, *owner)
    assert page.stat().st_ino != before, "the new one takes the old one's place at once"
    assert [path.name for path in page.parent.glob("*status.html*")] == [page.name]


def test_what_is_no_plain_file_stays_what_it_is(instance: Instance, page: Path, tmp_path: Path) -> None:
    """Root would replace /dev/null, and /dev/stdout, which is a link."""
    other = tmp_path / "other"
    other.write_text("mine", encoding="utf-8")
    page.symlink_to(other)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    for place in (page, pipe):
        done = instance.run("status", "--html", str(place))
        assert (done.returncode, "no plain file" in done.stderr) == (2, True)

    assert (page.is_symlink(), other.read_text(encoding="utf-8"), pipe.is_fifo()) == (True, "mine", True)


@pytest.mark.parametrize(
    ("place", "said"),
    [("none/status.html", "there is no directory"), (".", "names a directory"), ("", "names a directory")],
)
def test_where_no_page_can_be_it_says_so_and_does_nothing(
    instance: Instance, tmp_path: Path, place: str, said: str
) -> None:
    done = instance.run("status", "--html", str(tmp_path / place) if place else "")

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@as_root
def test_a_disk_that_refuses_leaves_the_old_page(instance: Instance, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", full], check=True)
    try:
        page = full / "status.html"
        page.write_text("old", encoding="utf-8")
        (full / "filler").write_bytes(bytes(8192))
        done = instance.run("status", "--html", str(page))
        assert (done.returncode, page.read_text(encoding="utf-8")) == (1, "old")
        assert "make room on that disk" in done.stderr
    finally:
        subprocess.run(["umount", full], check=True)


def test_the_exit_code_is_that_of_status(instance: Instance, page: Path) -> None:
    (instance.path / ".tracker-backup").unlink()

    done = instance.run("status", "--html", str(page))

    assert done.returncode == 2
    said = read_page(page.read_text(encoding="utf-8")).one("div", class_="verdict").text()
    assert said.startswith("CRITICAL: ")
    assert "is the volume mounted?" in said


def test_the_configuration_that_cannot_be_read_is_on_the_page(instance: Instance, page: Path) -> None:
    instance.file.write_text("stack: [", encoding="utf-8")

    done = instance.run("status", "--html", str(page))

    assert done.returncode == 3
    found = read_page(page.read_text(encoding="utf-8"))
    assert "not valid YAML" in found.one("div", class_="verdict").text()


def test_names_from_outside_are_text(tmp_path: Path) -> None:
    """A stack lies where its owner has put it, and an error tells so."""
    base = tmp_path / "<img src=x onerror=alert(1)>&amp;"
    base.mkdir()
    instance = Instance(base)
    instance.configure()
    instance.repository.init()
    assert instance.run("--now", "--quiet").returncode != 0

    page = tmp_path / "status.html"
    instance.run("status", "--html", str(page))

    found = read_page(page.read_text(encoding="utf-8"))
    assert str(base) in found.text()
    assert found.all("img") == []


def test_several_instances_are_on_one_page(tmp_path: Path, page: Path) -> None:
    north, south = Instance(tmp_path, "north"), Instance(tmp_path, "south")
    for instance in (north, south):
        instance.build()
        instance.configure()
        instance.repository.init()
    assert north.run("--now", "--quiet", "--instance", "north").returncode == 0
    (south.path / ".tracker-backup").unlink()

    done = north.run("status", "--html", str(page), "--json")

    assert (done.returncode, json.loads(done.stdout)["state"]) == (2, "CRITICAL")
    found = read_page(page.read_text(encoding="utf-8"))
    assert [heading.text() for heading in found.all("h2")] == ["north", "south"]
    assert len(found.all("svg")) == 3


@as_root
def test_the_document_is_right(instance: Instance, tmp_path: Path) -> None:
    """Each command of its section, at another place: a page for root, one that a web server may read, and anew."""
    text = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    section = text.partition("\n## A page for a browser\n")[2].partition("\n## ")[0]
    told = [
        re.sub(r"^(20 \* \* \* \* root|sudo) ", "", line) for line in re.findall(r"^    (\S.*)$", section, re.MULTILINE)
    ]
    program = shlex.join(instance.command())
    page = tmp_path / "backups.html"
    seen = []
    for line in told:
        command = re.sub(r"^\S*tracker-backup\b", program, line).replace("/srv/status", str(tmp_path))
        done = subprocess.run(
            ["sh", "-c", command], env=instance.environment, capture_output=True, text=True, check=False
        )
        seen.append((done.returncode, done.stderr, mode(page), page.stat().st_size > 0))

    warning = instance.run("status").returncode
    assert seen == [(warning, "", 0o600, True), (0, "", 0o640, False), (warning, "", 0o640, True)]
    assert grp.getgrgid(page.stat().st_gid).gr_name == "www-data"


@as_root
def test_who_may_not_look_gets_what_was_written(open_path: Path) -> None:
    instance = Instance(open_path)
    instance.build()
    instance.configure()
    instance.repository.init()
    assert instance.run("--now", "--quiet").returncode == 0
    place = open_path / "pages"
    place.mkdir()
    os.chown(place, 65534, 65534)
    environment = {"TRACKER_BACKUP_STATE_DIRECTORY": str(open_path)}
    instance.state.rename(open_path / "default")

    done = instance.run("status", "--html", str(place / "x.html"), user=nobody(), environment=environment)

    page = place / "x.html"
    assert (page.stat().st_uid, mode(page)) == (65534, 0o600), done.stderr
    found = read_page(page.read_text(encoding="utf-8"))
    assert "As written" in found.one("div", class_="verdict").text()
    assert found.all("svg") == []
    assert instance.ids()[0] in found.one("table", aria_label="Jobs").text()
