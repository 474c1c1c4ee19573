"""Real database servers and clients on any machine: made of Debian's packages, kept in a cache, run without a chroot.

Each flavour is a small Debian in a directory. Its programs run through that Debian's own dynamic loader, so they need
no container, no mount and no privilege, and lie beside each other on one machine:

| flavour | from Debian | downloaded | on disk |
| --- | --- | --- | --- |
| mariadb-10.11 | 12 | about 75 MB | 300 MB |
| mariadb-11.8 | 13 | about 75 MB | 310 MB |
| mysql-9.7 | sid | about 85 MB | 400 MB |

Building needs root (mmdebstrap), 20 seconds for each, once for each version of the recipe; afterwards nothing is
downloaded. TRACKER_BACKUP_DEBIAN_MIRROR is where packages come from, as for the Molecule hosts.
"""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import os
import shutil
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ENTRYPOINT = Path(__file__).with_name("database_entrypoint.sh")
UNUSED_SECONDS = 30 * 24 * 3600
PROGRAMS = {
    "mariadb": ("mariadb", "mariadb-dump", "mariadb-admin", "mariadbd"),
    "mysql": ("mysql", "mysqldump", "mysqladmin", "mysqld"),
}
# What nobody needs to run a server, and what would double the size of the container images made of it.
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*", "/usr/share/info/*")
# The user whom the published images have, for the containers made of it.
SERVER_USER = (
    'echo mysql:x:999:999::/var/lib/mysql:/bin/false >>"$1/etc/passwd"',
    'echo mysql:x:999: >>"$1/etc/group"',
    'install --directory --owner=999 --group=999 "$1/var/lib/mysql"',
)
# Base tables that a new data directory of MariaDB is made of, in this order; what mariadb-install-db does.
MARIADB_TABLES = (
    "*_system_tables.sql",
    "*_performance_tables.sql",
    "*_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
    "*_sys_schema.sql",
)
WRAPPER = """#!/bin/sh
export MARIADB_PLUGIN_DIR='{library}/libmariadb3/plugin' LIBMYSQL_PLUGIN_DIR='{plugins}'
exec '{loader}' --library-path '{library}' --argv0 '{name}' '{program}' "$@"
"""
# A server finds its own files by options, where its packages' places are somebody else's.
SERVER_WRAPPER = """#!/bin/sh
if [ "${{1:-}}" = --no-defaults ]; then
    shift
    set -- --no-defaults {options} "$@"
fi
exec '{loader}' --library-path '{library}' --argv0 '{name}' '{program}' "$@"
"""
# The real one is a script that knows the packages' places only.
INSTALL = """#!/bin/sh
for argument; do
    case $argument in
        --datadir=*) exec cp -a '{data}/.' "${{argument#--datadir=}}" ;;
    esac
done
exit 1
"""


@dataclass(frozen=True)
class Flavour:
    """A server and its clients: vendor `mariadb` or `mysql`, the version's first two numbers, Debian's suite."""

    name: str
    vendor: str
    suite: str
    packages: str


FLAVOURS = {
    flavour.name: flavour
    for flavour in (
        Flavour("mariadb-10.11", "mariadb", "bookworm", "mariadb-server-core,mariadb-client,libmariadb3"),
        Flavour("mariadb-11.8", "mariadb", "trixie", "mariadb-server-core,mariadb-client,libmariadb3"),
        Flavour("mysql-9.7", "mysql", "sid", "mysql-server-core,mysql-client-core"),
    )
}


@dataclass(frozen=True)
class Image:
    """A built flavour: `rootfs` is a small Debian, `bin` has its programs, `data` a new data directory to copy."""

    flavour: Flavour
    directory: Path

    @property
    def rootfs(self) -> Path:
        """Return the root of its file system."""
        return self.directory / "rootfs"

    @property
    def bin(self) -> Path:
        """Return the directory of its programs, to be run on this machine."""
        return self.directory / "bin"

    @property
    def data(self) -> Path:
        """Return a data directory as a new server has it: root@localhost without a password."""
        return self.directory / "data"

    @property
    def hash(self) -> str:
        """Return the hash of the recipe."""
        return self.directory.name.removeprefix(f"{self.flavour.name}-")

    def program(self, name: str) -> str:
        """Return the path of one of its programs."""
        path = self.bin / name
        assert path.exists(), f"{self.flavour.name} has no {name}"
        return str(path)

    @property
    def share(self) -> Path:
        """Return the directory of the server's messages, character sets and base tables; newer ones renamed it."""
        return next(path for name in ("mariadb", "mysql") if (path := self.rootfs / "usr/share" / name).exists())

    @property
    def server_options(self) -> list[str]:
        """Return the options that tell the server where its own files lie."""
        return [
            f"--basedir={self.rootfs / 'usr'}",
            f"--lc-messages-dir={self.share}",
            f"--character-sets-dir={self.share / 'charsets'}",
            f"--plugin-dir={self.rootfs / 'usr/lib/mysql/plugin'}",
        ]


def image(name: str) -> Image:
    """Return a flavour, built when it is not in the cache."""
    flavour = FLAVOURS[name]
    root = Path(os.environ.get("TRACKER_BACKUP_CACHE") or Path.home() / ".cache" / "tracker-backup")
    directory = root / "database-servers" / f"{name}-{_recipe_hash(flavour)}"
    directory.parent.mkdir(parents=True, exist_ok=True)
    with (directory.parent / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            _remove_unused(directory.parent, name)
            _build(flavour, directory)
        os.utime(directory)
    return Image(flavour, directory)


def write_archive(made: Image, target: IO[bytes]) -> None:
    """Write the file system of a container image as a tar archive."""
    with tarfile.open(fileobj=target, mode="w|") as archive:
        archive.add(made.rootfs, arcname=".")
        archive.add(made.data, arcname="./usr/local/share/new-data")
        archive.add(ENTRYPOINT, arcname="./entrypoint.sh")


def archive_file(name: str) -> Path:
    """Return a flavour's container image as a tar file in the cache, for `docker import`."""
    made = image(name)
    entrypoint = hashlib.sha256(ENTRYPOINT.read_bytes()).hexdigest()[:12]
    file = made.directory / f"container-{entrypoint}.tar"
    if not file.exists():
        unfinished = file.with_suffix(f".{os.getpid()}")
        with unfinished.open("wb") as target:
            write_archive(made, target)
        unfinished.rename(file)
    return file


def _recipe_hash(flavour: Flavour) -> str:
    functions = (_build, _unpack, _write_programs, _make_data, Image)
    parts = [
        repr(flavour),
        WRAPPER,
        SERVER_WRAPPER,
        INSTALL,
        *LEFT_OUT,
        *SERVER_USER,
        *MARIADB_TABLES,
        *map(inspect.getsource, functions),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _build(flavour: Flavour, directory: Path) -> None:
    """Build it under another name, so that an interrupted build is not taken for one."""
    unfinished = directory.with_name(f".{directory.name}.building")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    _unpack(flavour, unfinished / "rootfs")
    _write_programs(Image(flavour, unfinished))
    _make_data(Image(flavour, unfinished))
    unfinished.rename(directory)
    _write_programs(Image(flavour, directory))


def _unpack(flavour: Flavour, target: Path) -> None:
    """Make a small Debian with the server and the clients. The release file of a frozen sid is long out of date."""
    mirror = os.environ.get("TRACKER_BACKUP_DEBIAN_MIRROR", "")
    command = ["mmdebstrap", "--quiet", "--variant=essential", "--mode=root", "--format=directory"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    command += ['--aptopt=Acquire::Check-Valid-Until "false"', f"--include={flavour.packages}"]
    command += [f"--customize-hook={hook}" for hook in SERVER_USER]
    command += [flavour.suite, str(target), *([f"deb {mirror} {flavour.suite} main"] if mirror else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"mmdebstrap for {flavour.name}: {done.stderr[-2000:]}"


def _write_programs(made: Image) -> None:
    """Write a small script for each program, that starts it with the loader and the libraries of its own Debian."""
    made.bin.mkdir(exist_ok=True)
    (loader,) = made.rootfs.glob("usr/lib/*/ld-linux-*.so.*")
    for name in PROGRAMS[made.flavour.vendor]:
        (program,) = made.rootfs.glob(f"usr/*bin/{name}")
        wrapper = SERVER_WRAPPER if name.endswith("d") else WRAPPER
        options = " ".join(f"'{option}'" for option in made.server_options)
        plugins = made.rootfs / "usr/lib/mysql/plugin"
        text = wrapper.format(
            loader=loader, library=loader.parent, name=name, program=program, options=options, plugins=plugins
        )
        _write_program(made.bin / name, text)
    if made.flavour.vendor == "mariadb":
        _write_program(made.bin / "mariadb-install-db", INSTALL.format(data=made.data))


def _write_program(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o755)


def _make_data(made: Image) -> None:
    """Make a data directory as small as it can be; every server gets a copy."""
    made.data.mkdir(mode=0o700)
    options = ["--no-defaults", f"--datadir={made.data}", "--user=root"]
    if made.flavour.vendor == "mysql":
        command = [made.program("mysqld"), *options, "--initialize-insecure", "--innodb-redo-log-capacity=8M"]
        statements = b""
    else:
        command = [made.program("mariadbd"), *options, "--bootstrap", "--innodb-log-file-size=8M", "--log-warnings=0"]
        command += ["--max-allowed-packet=8M", "--net-buffer-length=16K", "--enforce-storage-engine="]
        begin = b"CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"
        tables = [file for pattern in MARIADB_TABLES for file in made.share.glob(pattern)]
        statements = begin + b"".join(file.read_bytes() for file in tables)
    done = subprocess.run(command, input=statements, capture_output=True, check=False)
    assert done.returncode == 0, f"a data directory for {made.flavour.name}: {done.stderr[-2000:]!r}"


def _remove_unused(directory: Path, name: str) -> None:
    """Remove what no test has asked for in a long time; another checkout may build by another recipe."""
    for built in directory.glob(f"{name}-*"):
        if time.time() - built.stat().st_mtime > UNUSED_SECONDS:
            shutil.rmtree(built)


def main() -> None:
    """Build all flavours, or those that are named, and print where they lie; `--tar NAME`: as a container image."""
    if sys.argv[1:2] == ["--tar"]:
        print(archive_file(sys.argv[2]))
        return
    for name in sys.argv[1:] or FLAVOURS:
        print(name, image(name).bin)


if __name__ == "__main__":
    main()
