"""A backup whose archive was made to do harm, with all its sums right: it lands where it was told, or nowhere."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from support.archives import Member, make, member, put_into
from support.manifests import rewrite
from support.program import Installation, tree
from support.tracker_standin import build_database
from tracker_backup.repository.store import Repository

pytestmark = pytest.mark.guarantee(13)

LNK, SYM, DIR = tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE


@pytest.fixture(scope="session")
def files_taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a backup of a stack's files; by its job it has another name than those that `host` made that second."""
    made = Installation(tmp_path_factory.mktemp("files") / "host")
    (made.data / "compose.yaml").write_text("services: {}\n")
    made.configure(
        sources=[{"name": "files", "type": "files"}],
        jobs=[{"name": "stack", "schedule": "0 3 * * *", "keep": {"last": 2}}],
    )
    Repository(made.repository).init()
    return made.repository / made.back_up()["id"]


@pytest.fixture
def backup(files_taken: Path, host: Installation) -> Path:
    """Return that backup in the repository of a host with a stack of its own."""
    (host.data / "compose.yaml").write_text("services: {}\n")
    host.configure(sources=[{"name": "files", "type": "files"}])
    return Path(shutil.copytree(files_taken, host.repository / files_taken.name))


def inside(host: Installation, name: str) -> str:
    """Return the name of a member that belongs into the stack's directory."""
    return f"{str(host.data).lstrip('/')}/{name}"


def harm(host: Installation, outside: Path) -> dict[str, list[Member]]:
    """Return archives by what they try: to write to `outside`, or to change what is there."""
    canary, stack = str(outside / "canary"), inside(host, "link")
    up = "../" * 30 + canary.lstrip("/")
    return {
        "an absolute name": [member(canary, content=b"overwritten")],
        "a name with dots": [member(up, content=b"overwritten")],
        "dots within": [member(f"{inside(host, 'a')}/../../{up}", content=b"overwritten")],
        "through a link": [member(stack, SYM, str(outside)), member(f"{stack}/canary", content=b"overwritten")],
        "through two links": [
            member(stack, SYM, "second"),
            member(inside(host, "second"), SYM, str(outside)),
            member(f"{stack}/canary", content=b"overwritten"),
        ],
        "through a link to above": [member(stack, SYM, ".."), member(f"{stack}/{up}", content=b"overwritten")],
        "over a hard link": [member(stack, LNK, canary), member(stack, content=b"overwritten")],
        "mode of a hard link": [member(stack, LNK, canary, mode=0o4777)],
        "a directory over a link": [
            member(stack, SYM, str(outside)),
            member(stack, DIR, mode=0o777, uid=12345),
            member(f"{stack}/new", content=b"x"),
        ],
        "a device": [member(inside(host, "null"), tarfile.CHRTYPE, devmajor=1, devminor=5)],
        "a disk": [member(inside(host, "disk"), tarfile.BLKTYPE, devmajor=8)],
        "a pipe": [member(inside(host, "pipe"), tarfile.FIFOTYPE)],
    }


HARM = ["an absolute name", "a name with dots", "dots within", "through a link", "through two links",
        "through a link to above", "over a hard link", "mode of a hard link", "a directory over a link", "a device",
        "a disk", "a pipe"]  # fmt: skip


@pytest.mark.parametrize("where", ["to", "in place"])
@pytest.mark.parametrize("kind", HARM)
def test_nothing_gets_out(host: Installation, backup: Path, outside: Path, kind: str, where: str) -> None:
    put_into(backup, make(host.directory / "bad.tar", *harm(host, outside)[kind], member(inside(host, "good"))))
    target = host.directory / "restored"
    before = tree(host.data)

    if where == "to":
        done = host.run("restore", str(backup), "--to", str(target))
    else:
        done = host.run("restore", backup.name, "--in-place", "--yes")

    assert "internal error" not in done.stderr
    special = [path for path in host.directory.rglob("*") if not _is_plain(path)]
    assert special == []
    if where == "in place" and done.returncode:
        assert tree(host.data) == before
    if done.returncode:
        assert not target.exists() or list(target.iterdir()) == []
    else:
        assert kind == "a directory over a link", "all else is refused"


def _is_plain(path: Path) -> bool:
    mode = path.lstat().st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)


def test_a_path_of_a_link_to_elsewhere(host: Installation, backup: Path, outside: Path) -> None:
    """With --path, one chooses by name: what a link in the archive leads to is not chosen with it."""
    link = member(inside(host, "link"), SYM, str(outside))
    put_into(backup, make(host.directory / "bad.tar", link, member(inside(host, "good"), content=b"x")))
    to = ("--to", str(host.directory / "restored"))

    chosen = host.run("restore", backup.name, *to, "--path", str(host.data / "link" / "canary"))
    above = host.run("restore", backup.name, *to, "--path", str(host.data / ".." / ".." / ".." / "etc"))

    assert (chosen.returncode, above.returncode) == (2, 2)
    assert "do not hold" in chosen.stderr
    assert not (host.directory / "restored" / "files").exists()


def test_odd_names_come_back_as_they_are(host: Installation, backup: Path, outside: Path) -> None:
    names = ["-rf", "--checkpoint-action=exec=touch canary", "a\nb", "\x1b[31mred", "caf\udce9", "x" * 200, "%s", "*",
             "$(touch canary)", " ", "\\", "\\n", "'", '"', "\u202egpj.exe", "~", "#", "d/" * 60 + "deep"]  # fmt: skip
    members = [member(inside(host, name), content=name.encode(errors="surrogateescape")) for name in names]
    put_into(backup, make(host.directory / "odd.tar", *members))

    done = host.run("restore", backup.name, "--to", str(host.directory / "restored"))
    placed = host.run("restore", backup.name, "--in-place", "--yes")

    assert done.returncode == 0, done.stderr
    assert placed.returncode == 0, placed.stderr
    for place in (host.directory / "restored" / "files" / str(host.data).lstrip("/"), host.data):
        for name in names:
            assert os.fsencode(place / name).split(b"/", 1)[1]
            assert (place / name).read_bytes() == name.encode(errors="surrogateescape")
    assert "\x1b" not in done.stdout + done.stderr + placed.stdout + placed.stderr
    assert list(host.directory.rglob("canary")) == []


def test_of_a_name_that_is_there_twice_the_last_one_counts(host: Installation, backup: Path, outside: Path) -> None:
    first, second = (member(inside(host, "twice"), content=content) for content in (b"first", b"second"))
    # Of a link and a file tar may let either be there; through the link it does not write.
    link, file = member(inside(host, "link"), SYM, str(outside / "canary")), member(inside(host, "link"), content=b"x")
    put_into(backup, make(host.directory / "twice.tar", first, link, second, file))

    done = host.run("restore", backup.name, "--to", str(host.directory / "restored"))

    assert done.returncode == 0, done.stderr
    assert (host.directory / "restored" / "files" / inside(host, "twice")).read_bytes() == b"second"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owners_and_setuid_stay_in_the_place(host: Installation, backup: Path, outside: Path) -> None:
    """They are the stack's, who restores as root wants them; nothing beside the place gets them."""
    above = tree(host.directory.parent)[str(host.directory.relative_to(host.directory.parent))]
    members = [
        member("", DIR, uid=12345, mode=0o777),
        member(str(host.directory).lstrip("/"), DIR, uid=12345, mode=0o777),
        member(inside(host, "suid"), content=b"#!/bin/sh\n", uid=0, mode=0o4755),
        member(inside(host, "huge"), content=b"x", uid=2**31 - 2, gid=2**31 - 2, mode=0o2755),
    ]
    put_into(backup, make(host.directory / "owned.tar", *members))

    done = host.run("restore", backup.name, "--to", str(host.directory / "restored"))

    assert done.returncode == 0, done.stderr
    place = host.directory / "restored" / "files"
    assert (place / inside(host, "suid")).stat().st_mode & 0o7777 == 0o4755
    assert (place / inside(host, "huge")).stat().st_uid == 2**31 - 2
    assert stat.S_IMODE((host.directory / "restored").stat().st_mode) == 0o700
    assert tree(host.directory.parent)[host.directory.name][1] == above[1]
    assert host.directory.stat().st_uid == 0


def test_a_hole_larger_than_any_disk_takes_no_room(host: Installation, backup: Path) -> None:
    huge = host.data / "huge"
    huge.touch()
    os.truncate(huge, 1 << 42)
    archive = host.directory / "sparse.tar"
    subprocess.run(["tar", "-C", "/", "-cSf", archive, str(huge).lstrip("/")], check=True)
    huge.unlink()
    put_into(backup, archive)

    done = host.run("restore", backup.name, "--to", str(host.directory / "restored"), wrap=("timeout", "60"))

    if done.returncode == 0:
        restored = host.directory / "restored" / "files" / str(huge).lstrip("/")
        assert restored.stat().st_size == 1 << 42
        assert restored.stat().st_blocks * 512 < 1 << 20
    else:
        assert list((host.directory / "restored").iterdir()) == []


BOMBS: dict[str, Callable[[Path], list[str]]] = {
    "zeros": lambda path: ["sh", "-c", 'head -c 512M /dev/zero | zstd -q -f -1 -o "$1"', "sh", str(path)],
    "a frame more": lambda path: ["sh", "-c", 'head -c 512M /dev/zero | zstd -q -1 >>"$1"', "sh", str(path)],
    "a wide window": lambda path: [
        "sh",
        "-c",
        'head -c 600M /dev/zero | zstd -q -f --long=31 -o "$1"',
        "sh",
        str(path),
    ],
}


@pytest.mark.parametrize("kind", BOMBS)
@pytest.mark.parametrize("command", ["restore", "verify"])
def test_what_unpacks_to_more_than_was_stored_is_given_up(host: Installation, kind: str, command: str) -> None:
    """At the size that the manifest names, though the sum of the packed file be right: no disk is filled."""
    newer = max(host.repository.glob("[0-9]*"))
    artifact = newer / "tracker.sqlite3.zst"
    subprocess.run(BOMBS[kind](artifact), check=True)
    packed = subprocess.run(["sha256sum", artifact], check=True, capture_output=True, text=True).stdout.split()[0]
    size = artifact.stat().st_size
    rewrite(newer, lambda manifest: manifest["artifacts"][0].update(bytes=size, sha256=packed))
    words = ["verify", newer.name, "--full"] if command == "verify" else ["restore", newer.name, "--to"]
    words += [str(host.directory / "restored")] if command == "restore" else []

    done = host.run(*words, wrap=("prlimit", f"--fsize={16 * 1024**2}", f"--data={512 * 1024**2}"))

    assert done.returncode == 5, done.stderr
    assert str(artifact) in done.stderr
    assert not (host.directory / "restored").exists() or list((host.directory / "restored").iterdir()) == []
    assert not [path for path in host.left_over() if ".scratch" in path]


def test_a_database_that_is_elsewhere_by_the_manifest_is_not_looked_at(host: Installation, backup: Path) -> None:
    build_database(host.directory / "other.db", mib=0.05)
    with (host.directory / "other.db").open("r+b") as file:
        file.write(b"x" * 200)
    named = {"path": "/" + "../" * 30 + str(host.directory / "other.db"), "check": "ok", "messages": []}
    put_into(backup, make(host.directory / "a.tar", member(inside(host, "good"))), databases=[named])

    done = host.run("restore", backup.name, "--to", str(host.directory / "restored"))

    assert done.returncode == 0, done.stderr
