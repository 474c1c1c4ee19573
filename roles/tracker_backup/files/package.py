"""Carry the program's package from the controller to a host; the role's deploy stage runs this on both.

On the controller:  describe DIRECTORY        its files' SHA-256 and the digest over all of them, as JSON
                    archive DIRECTORY         the files as a gzipped tar in base64, the same bytes every time
On the host:        unpack LIBRARY DIGEST FILE    put the archive in FILE in place as LIBRARY/DIGEST and point
                                              LIBRARY/current at it
"""

from __future__ import annotations

import base64
import fcntl
import gzip
import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = "tracker_backup"
SUFFIXES = (".py", ".json")
NAMES = ("Containerfile",)
LINK = "current"


def package_files(directory: Path) -> dict[str, Path]:
    """Return the files of the package that belong on a host, by their path below `directory`."""
    found = sorted(path for path in directory.rglob("*") if belongs(path) and path.is_file())
    return {path.relative_to(directory).as_posix(): path for path in found}


def belongs(path: Path) -> bool:
    """Return whether a file of that name goes along."""
    return path.suffix in SUFFIXES or path.name in NAMES


def describe(directory: Path) -> dict[str, object]:
    """Return the SHA-256 of every file and a short digest over names and contents."""
    files = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in package_files(directory).items()}
    if "__main__.py" not in files:
        raise SystemExit(f"{directory} is not the program's package: it has no __main__.py")
    listing = "".join(f"{checksum}  {name}\n" for name, checksum in files.items())
    return {"digest": hashlib.sha256(listing.encode()).hexdigest()[:16], "files": files}


def archive(directory: Path) -> bytes:
    """Return the package as a gzipped tar; names and contents decide its bytes, times and owners do not."""
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, path in package_files(directory).items():
            entry = tarfile.TarInfo(name)
            entry.size = path.stat().st_size
            with path.open("rb") as content:
                tar.addfile(entry, content)
    return gzip.compress(tarred.getvalue(), mtime=0)


def extract(packed: bytes, directory: Path) -> None:
    """Write an archive's files below `directory`, readable by all, on disk when this returns."""
    directory.mkdir(parents=True, mode=0o755)
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
        for entry in tar:
            content = tar.extractfile(entry)
            path = directory / entry.name
            if content is None or not path.resolve().is_relative_to(directory.resolve()):
                raise SystemExit(f"unexpected entry in the archive: {entry.name}")
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            with path.open("wb") as file:
                file.write(content.read())
                file.flush()
                os.fsync(file.fileno())


def in_use(version: Path) -> bool:
    """Return whether a process runs this version: its path stands in the process's command line."""
    wanted = os.fsencode(f"{version}/")
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if wanted in process.read_bytes():
                return True
        except OSError:  # it has ended meanwhile, or is none of our business
            continue
    return False


def replace(new: Path, target: Path) -> None:
    """Put the directory `new` where `target` is; what stood there is gone afterwards."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def point(link: Path, name: str) -> str | None:
    """Point a symbolic link at `name` in one step and return what it pointed at before."""
    before = str(link.readlink()) if link.is_symlink() else None
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(name)
    fresh.replace(link)
    return before


def remove_others(library: Path, keep: set[str]) -> list[str]:
    """Remove the versions that are neither kept nor in use; return their names."""
    gone = []
    for version in sorted(library.iterdir()):
        if version.is_dir() and not version.is_symlink() and version.name not in keep and not in_use(version):
            shutil.rmtree(version)
            gone.append(version.name)
    return gone


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Let one at a time change a directory: two instances may be provisioned at once."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def unpack(library: Path, digest: str, sent: Path) -> None:
    """Put the archive that was sent in place, and keep the version before it: a run under way may need it."""
    os.umask(0o022)
    with locked(library):
        print(put_in_place(library, digest, base64.b64decode(sent.read_bytes(), validate=True)))
    sent.unlink()


def put_in_place(library: Path, digest: str, packed: bytes) -> str:
    """Make an archive the current version, remove those that nobody needs, and return what was done."""
    new = library / f".{digest}.new"
    shutil.rmtree(new, ignore_errors=True)
    extract(packed, new / PACKAGE)
    found = describe(new / PACKAGE)["digest"]
    if found != digest:
        raise SystemExit(f"the archive arrived with digest {found} in place of {digest}; run the play again")
    replace(new, library / digest)
    before = point(library / LINK, digest)
    gone = remove_others(library, {digest, before or digest})
    return f"current: {digest}, before: {before}, removed: {', '.join(gone) or 'none'}"


def main(arguments: list[str]) -> None:
    """Run the command that the arguments name."""
    if arguments[:1] == ["describe"]:
        print(json.dumps(describe(Path(arguments[1]))))
    elif arguments[:1] == ["archive"]:
        print(base64.b64encode(archive(Path(arguments[1]))).decode(), end="")
    elif arguments[:1] == ["unpack"]:
        unpack(Path(arguments[1]).resolve(), arguments[2], Path(arguments[3]))
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
