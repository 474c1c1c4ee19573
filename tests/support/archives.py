"""Archives as tar never makes them, and backups that hold them as if a run had put them there."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from support.manifests import rewrite

Member = tuple[tarfile.TarInfo, bytes]


def member(
    name: str, kind: bytes = tarfile.REGTYPE, target: str = "", content: bytes = b"", **attributes: Any
) -> Member:
    """Return a member of an archive."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode = kind, target, len(content), 0o644
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info, content


def make(path: Path, *members: Member) -> Path:
    """Make an archive as tar never would."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT, errors="surrogateescape") as made:
        for info, content in members:
            made.addfile(info, io.BytesIO(content))
    return path


def put_into(backup: Path, archive: Path, **facts: Any) -> None:
    """Let an archive be the backup's artifact of the source files, with all its sums right."""
    packed = backup / "files.tar.zst"
    subprocess.run(["zstd", "-q", "-f", str(archive), "-o", str(packed)], check=True)
    raw, stored = archive.read_bytes(), packed.read_bytes()

    def change(manifest: dict[str, Any]) -> None:
        [artifact] = [each for each in manifest["artifacts"] if each["source"] == "files"]
        artifact.update(bytes=len(stored), raw_bytes=len(raw), engine={"name": "tar", **facts})
        artifact.update(sha256=hashlib.sha256(stored).hexdigest(), raw_sha256=hashlib.sha256(raw).hexdigest())

    rewrite(backup, change)
