"""Backups that are not as they were left: told by name, contained, never deleted by mistake."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.damaged import contained, older_and_newer, sound, told
from support.faults import FULL, rounds
from support.manifests import rewrite
from support.program import Installation

pytestmark = pytest.mark.guarantee(11)


class TestFlippedBytes:
    """One bit of one byte, wherever it is: zstd would let some pass, JSON most of them."""

    def test_of_an_artifact(self, host: Installation, tally: Callable[[str, int], None]) -> None:
        _, newer = older_and_newer(host)
        artifact = newer / "tracker.sqlite3.zst"
        whole = artifact.read_bytes()
        size = len(whole)
        # Magic and headers of frame and block; the middle; the last block's end, and the checksum of four bytes.
        offsets = {*range(18), *range(size // 2, size // 2 + 4), *range(size - 12, size)}
        offsets |= set(range(0, size, max(1, size // rounds(3000, short=60))))
        passed = 0
        for offset in sorted(offsets):
            artifact.write_bytes(flipped(whole, offset, 4))
            assert not sound(host, newer), offset
            passed += unpacks_without_its_checksum(artifact)
        tally("inputs tried", len(offsets))

        assert passed >= 4, "what zstd cannot tell is among what was tried"
        assert host.run("verify", "--all").returncode == 5
        artifact.write_bytes(whole)
        assert sound(host, newer)

    def test_of_a_manifest(self, host: Installation, tally: Callable[[str, int], None]) -> None:
        _, newer = older_and_newer(host)
        manifest = newer / "manifest.json"
        whole = manifest.read_bytes()
        tail = range(whole.rindex(b"\n  ") - 4, len(whole))
        offsets = range(len(whole)) if FULL else [*range(0, tail.start, 31), *tail]
        bits = range(8) if FULL else (0, 5)
        for offset in offsets:
            for bit in bits:
                manifest.write_bytes(flipped(whole, offset, bit))
                assert not sound(host, newer), (offset, bit)
        tally("inputs tried", len(offsets) * len(bits))

        manifest.write_bytes(whole)
        assert sound(host, newer)

    @pytest.mark.parametrize("year", [b"2016", b"2926"])
    def test_a_time_that_reads_otherwise_deletes_nothing(self, host: Installation, year: bytes) -> None:
        """Older than all, it would be the first to go; newer than all, it would have the others go."""
        older, newer = older_and_newer(host)
        manifest = newer / "manifest.json"
        began = b'started_at": "'
        manifest.write_bytes(manifest.read_bytes().replace(began + newer.name[:4].encode(), began + year))

        told(host, newer.name, "changed since it was written")
        contained(host, newer, older)


def flipped(data: bytes, offset: int, bit: int) -> bytes:
    """Return the bytes with one bit changed."""
    return data[:offset] + bytes([data[offset] ^ 1 << bit]) + data[offset + 1 :]


def unpacks_without_its_checksum(artifact: Path) -> bool:
    """Return whether zstd makes something of it, if nobody asks for its own checksum."""
    done = subprocess.run(["zstd", "-q", "-d", "-c", "--no-check", artifact], capture_output=True, check=False)
    return done.returncode == 0


def cut(bytes_left: int) -> Callable[[Path], object]:
    """Return what shortens a file; a negative number is counted from its end."""
    return lambda path: os.truncate(path, bytes_left if bytes_left >= 0 else path.stat().st_size + bytes_left)


def append(data: bytes) -> Callable[[Path], object]:
    """Return what makes a file longer."""
    return lambda path: path.write_bytes(path.read_bytes() + data)


LENGTHS: dict[str, Callable[[Path], object]] = {
    "empty": cut(0),
    "1 byte": cut(1),
    "4 bytes": cut(4),
    "half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "without its last byte": cut(-1),
    "without its last four": cut(-4),
    "a line end more": append(b"\n"),
    "zeros more": append(bytes(512)),
    "itself twice": lambda path: path.write_bytes(path.read_bytes() * 2),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("which", ["manifest.json", "tracker.sqlite3.zst"])
@pytest.mark.parametrize("change", LENGTHS)
def test_another_length(host: Installation, which: str, change: str) -> None:
    older, newer = older_and_newer(host)
    LENGTHS[change](newer / which)

    assert not sound(host, newer)
    if FULL or change in ("half", "gone"):
        told(host, newer.name)
        contained(host, newer, older)


def of_another_backup(newer: Path, older: Path) -> None:
    """Put the manifest of one beside the artifact of the other."""
    shutil.copy(older / "manifest.json", newer / "manifest.json")


def of_another_instance(newer: Path, older: Path) -> None:
    """Put a manifest there that has the right id, and was made of other databases."""
    rewrite(newer, lambda manifest: manifest.update(instance="other", host="elsewhere"))
    rewrite(newer, lambda manifest: manifest["artifacts"][0].update(sha256="0" * 64))


def naming(name: object) -> Callable[[Path, Path], None]:
    """Return what lets a manifest name another file for an artifact."""
    return lambda newer, _: rewrite(newer, lambda manifest: manifest["artifacts"][0].update(file=name))


MANIFESTS = {
    "of another backup": of_another_backup,
    "of another instance": of_another_instance,
    "a file above": naming("../canary"),
    "a file elsewhere": naming("/etc/passwd"),
    "a file of another backup": naming("../20200101T030000Z-daily/tracker.sqlite3.zst"),
    "a directory": naming("."),
    "a number": naming(7),
    "no object": lambda newer, _: (newer / "manifest.json").write_text("[]"),
    "nested deeply": lambda newer, _: (newer / "manifest.json").write_text('{"format":1,"x":' + "[" * 100_000),
}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_manifest_that_is_not_its_own(host: Installation, kind: str) -> None:
    older, newer = older_and_newer(host)
    (host.repository / "canary").write_text("precious")
    MANIFESTS[kind](newer, older)

    told(host, newer.name)
    if FULL or kind.startswith("of"):
        contained(host, newer, older)
    assert (host.repository / "canary").read_text() == "precious"


def test_the_json_listing_is_whole_beside_damage(host: Installation) -> None:
    _, newer = older_and_newer(host)
    (newer / "manifest.json").write_bytes(b"\x00\xff")

    done = host.run("list", "--json")

    assert done.returncode == 0
    assert len(json.loads(done.stdout)) == 1
    assert newer.name in done.stderr
