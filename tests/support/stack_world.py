"""A stack on a host of its own: everything that a backup of its files meets, and what it must bring back."""

from __future__ import annotations

import os
import socket
import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from support.tracker_standin import build_database

COMPOSE = """\
services:
  tracker:
    image: torrust/tracker
    volumes:
      - ./storage/tracker/lib:/var/lib/torrust/tracker
      - ./storage/tracker/log:/var/log/torrust/tracker
      - ./storage/tracker/etc:/etc/torrust/tracker
  proxy:
    image: caddy
    volumes:
      - {certificates}:/certificates:ro
      - /etc/localtime:/etc/localtime:ro
      - /var/run/docker.sock:/var/run/docker.sock
  grafana:
    image: grafana/grafana
    volumes:
      - ./storage/grafana/data:/var/lib/grafana
  prometheus:
    image: prom/prometheus
    volumes:
      - ./storage/prometheus/etc:/etc/prometheus
      - ./storage/prometheus/data:/prometheus
  mysql:
    image: mysql
    volumes:
      - ./storage/mysql/data:/var/lib/mysql
"""
TRACKER_TOML = '[core.database]\ndriver = "sqlite3"\npath = "/var/lib/torrust/tracker/database/tracker.db"\n'
USERS = ("admin", "ops", "guest")


class Facts(NamedTuple):
    """What must come back of a file or directory; `content` is a file's bytes, a link's target, or nothing."""

    mode: int
    owner: tuple[int, int]
    modified_ns: int
    content: bytes
    attributes: dict[str, bytes]
    links: int


def make_stack(stack: Path, certificates: Path) -> None:
    """Lay out a stack, and a directory beside it that one of its services has mounted."""
    _write(stack / "docker-compose.yml", COMPOSE.format(certificates=certificates))
    _write(stack / ".env", "GF_SECURITY_ADMIN_PASSWORD=s3cret\n", mode=0o600)
    _write(stack / "storage/tracker/etc/tracker.toml", TRACKER_TOML, mode=0o640, owner=1000)
    (stack / "storage/tracker/lib/database").mkdir(parents=True)
    build_database(stack / "storage/tracker/lib/database/tracker.db", mib=0.2, journal_mode="wal")
    _write(stack / "storage/tracker/log/announces.txt", "noise\n", owner=1000)
    _write(stack / "storage/tracker/lib/tracker.log.1", "noise\n")
    _write(stack / "storage/prometheus/etc/prometheus.yml", "scrape_configs: []\n", owner=65534)
    _write(stack / "storage/prometheus/data/chunks_head/000001", "samples")
    _write(stack / "storage/mysql/data/ibdata1", "pages")
    _write(stack / "storage/backup/20260101.tar.gz", "an older backup")
    _write(stack / ".git/objects/ab/cdef", "blob")
    _write(stack / ".git/HEAD", "ref: refs/heads/main\n")
    (stack / ".git/refs").mkdir()
    make_users(stack / "storage/grafana/data/grafana.db")
    _odd_things(stack / "storage/odd")
    _write(certificates / "example.org.crt", "CERTIFICATE")
    _write(certificates / "example.org.key", "PRIVATE KEY", mode=0o600, owner=1001)
    (certificates / "current.crt").symlink_to("example.org.crt")


def make_users(path: Path) -> None:
    """Make a database with users, as Grafana has one, that somebody is at work in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE user (id INTEGER PRIMARY KEY, login TEXT UNIQUE)")
        database.execute("CREATE TABLE session (id INTEGER PRIMARY KEY, content BLOB)")
        database.executemany("INSERT INTO user (login) VALUES (?)", [(name,) for name in USERS])
        database.executemany("INSERT INTO session (content) VALUES (?)", [(os.urandom(3000),) for _ in range(100)])
        database.commit()
    path.chmod(0o640)
    os.chown(path, 472, 0) if os.geteuid() == 0 else None


def users_in(path: Path) -> tuple[tuple[str, ...], str]:
    """Return the users in a database, and what SQLite's integrity_check says of it."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as database:
        users = tuple(row[0] for row in database.execute("SELECT login FROM user ORDER BY id"))
        return users, str(database.execute("PRAGMA integrity_check").fetchone()[0])


def access_list(user: int) -> bytes:
    """Return an ACL that lets one more user read, as the kernel keeps it (linux/posix_acl_xattr.h)."""
    nobody = 0xFFFFFFFF
    entries = [(0x01, 6, nobody), (0x02, 4, user), (0x04, 4, nobody), (0x10, 4, nobody), (0x20, 0, nobody)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def facts_of(directory: Path) -> dict[bytes, Facts]:
    """Return the facts of all that is below a directory, by its name there."""
    root = os.fsencode(directory)
    found = {}
    for parent, directories, files in os.walk(root):
        for name in (*directories, *files):
            path = os.path.join(parent, name)  # noqa: PTH118 - bytes
            found[os.path.relpath(path, root)] = _facts(path)
    return found


def _facts(path: bytes) -> Facts:
    status = os.lstat(path)
    content = b""
    if os.path.islink(path):  # noqa: PTH114 - bytes
        content = os.readlink(path)  # noqa: PTH115 - bytes
    elif os.path.isfile(path):  # noqa: PTH113 - bytes
        with open(path, "rb") as file:  # noqa: PTH123 - bytes
            content = file.read()
    names = os.listxattr(path, follow_symlinks=False)
    attributes = {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
    links = 1 if os.path.isdir(path) else status.st_nlink  # noqa: PTH112 - bytes
    return Facts(status.st_mode, (status.st_uid, status.st_gid), status.st_mtime_ns, content, attributes, links)


def _odd_things(directory: Path) -> None:
    _write(directory / "shared", "only some may read this", mode=0o640)
    os.setxattr(directory / "shared", "system.posix_acl_access", access_list(1000))
    os.setxattr(directory / "shared", "user.note", b"\x00kept")
    _write(directory / "one name", "linked")
    (directory / "another name").hardlink_to(directory / "one name")
    (directory / "dangling").symlink_to("/nowhere/at/all")
    (directory / "empty").mkdir(mode=0o2770)
    (directory / "empty").chmod(0o2770)
    with (directory / "sparse").open("wb") as file:
        file.seek(64 * 1024 * 1024)
        file.write(b"end")
    for name in (b"with\nnewline", b"no\xfftext", b"-rf", b" blank ", b"back\\slash\\n", b"a -> b", b"caf\xc3\xa9"):
        Path(os.fsdecode(os.fsencode(directory) + b"/" + name)).write_bytes(name)
    _write(directory / "locked/inner", "in a directory that only its owner enters")
    (directory / "locked").chmod(0o500)
    os.mkfifo(directory / "fifo")
    with socket.socket(socket.AF_UNIX) as made:
        previous = Path.cwd()
        os.chdir(directory)  # a socket's name is short
        try:
            made.bind("socket")
        finally:
            os.chdir(previous)


def _write(path: Path, text: str, *, mode: int = 0o644, owner: int | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    if owner is not None and os.geteuid() == 0:
        os.chown(path, owner, owner)
        os.chown(path.parent, owner, owner)
    os.utime(path, ns=(1_700_000_000_123_456_789, 1_700_000_000_123_456_789))
