"""What is known of a backup: the manifest that lies in it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tracker_backup.errors import RepositoryError
from tracker_backup.repository.facts import require_facts
from tracker_backup.system.files import opened_for_reading
from tracker_backup.system.records import made

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

FORMAT = 1
MANIFEST_NAME = "manifest.json"
VERIFIED, UNVERIFIED, PARTIAL = "verified", "unverified", "partial"
FAILED, PENDING, DAMAGED = "failed", "pending", "damaged"
_MARKS = ("kept", "accepted")
_MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Artifact:
    """One stored source: sizes in bytes, times in seconds, `snapshot_at` in UTC (RFC 3339).

    `file` is the artifact's name in the backup's directory; `path` is where the source was on its host.
    `usual_raw_bytes` is what earlier ones usually had, None where there was none; `size_drop` says that this one has
    less than half of it. `sizes_since` is the `sequence` of an accepted backup, where the comparison began anew.
    """

    source: str
    type: str
    file: str
    state: str
    snapshot_at: str
    bytes: int
    raw_bytes: int
    sha256: str
    raw_sha256: str
    method: str
    copy_seconds: float
    write_stall_seconds: float
    pause_seconds: float
    path: str
    service: str | None = None
    engine: Mapping[str, Any] = field(default_factory=dict)
    checks: tuple[Mapping[str, Any], ...] = ()
    usual_raw_bytes: int | None = None
    size_drop: bool = False
    sizes_since: int | None = None

    @property
    def verified(self) -> bool:
        """Whether it was read back and the engine's check found it sound."""
        return self.state == VERIFIED

    @property
    def good(self) -> bool:
        """Whether it is verified, or nobody asked for a check of it, and it is still there as it was stored."""
        return self.verified or (not self.checks and self.state != DAMAGED)


@dataclass(frozen=True)
class Failure:
    """A source that is not in the backup, and why; `state` is `failed`, `pending` or `damaged`."""

    source: str
    message: str
    state: str = FAILED


@dataclass(frozen=True)
class Manifest:
    """One finished run of a job; times are UTC (RFC 3339), `seconds` go by phase.

    `state` is the worst of the artifacts' states; `partial` where a source is missing, and `damaged`, which stands in
    no file, where an artifact is no longer what was stored. `trigger` is `schedule` or `command`; `manual` says that
    sources were chosen by hand, so that it counts for no job. `images` are the stack's images by service, `deployment`
    the project's name and files, its services, which of them ran, and their images' ids and digests, as
    :meth:`tracker_backup.run.deployed.Deployed.to_json` has them; empty where Docker could not tell. `sequence` grows
    by one from run to run, whatever the clock says; 0 where it was not noted.
    `kept` and `accepted` stand in files of their own beside the manifest: a person has pinned the backup, or said that
    a sudden drop in size is right.
    """

    id: str
    instance: str
    host: str
    stack: str
    job: str
    manual: bool
    version: str
    started_at: str
    finished_at: str
    state: str
    trigger: str
    seconds: Mapping[str, float] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    deployment: Mapping[str, Any] = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()
    errors: tuple[Failure, ...] = ()
    sequence: int = 0
    format: int = FORMAT
    kept: bool = False
    accepted: bool = False

    @property
    def verified(self) -> bool:
        """Whether every source that the job takes is in it, and verified."""
        return self.state == VERIFIED

    @property
    def good(self) -> bool:
        """Whether it counts, for freshness and retention.

        It is complete, it is verified, unless no check was asked for, and no source has suddenly lost half its size,
        unless a person accepted that.
        """
        unchecked = self.state == UNVERIFIED and not any(item.checks for item in self.artifacts)
        return (self.verified or unchecked) and not self.doubtful

    @property
    def doubtful(self) -> tuple[Artifact, ...]:
        """The artifacts with less than half of their usual size, which nobody has accepted."""
        return () if self.accepted else tuple(artifact for artifact in self.artifacts if artifact.size_drop)

    @cached_property
    def started(self) -> datetime:
        """When the run started, as a time in UTC."""
        return parse_time(self.started_at)

    @property
    def bytes(self) -> int:
        """Bytes stored, all artifacts together."""
        return sum(artifact.bytes for artifact in self.artifacts)

    @property
    def raw_bytes(self) -> int:
        """Bytes of the raw snapshots, all artifacts together."""
        return sum(artifact.raw_bytes for artifact in self.artifacts)

    def artifact(self, source: str) -> Artifact | None:
        """Return the artifact of a source, or None."""
        return next((artifact for artifact in self.artifacts if artifact.source == source), None)

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as the JSON object that a listing shows: the file's keys, `kept` and `accepted`."""
        document = asdict(self)
        return {"format": document.pop("format"), **document}


def without(manifest: Manifest, damaged: Collection[str]) -> Manifest:
    """Return a manifest as it counts since the artifacts of these sources are no longer what was stored."""
    if not damaged:
        return manifest
    artifacts = (replace(item, state=DAMAGED) if item.source in damaged else item for item in manifest.artifacts)
    return replace(manifest, state=DAMAGED, artifacts=tuple(artifacts))


def worst_state(artifacts: Iterable[Artifact]) -> str:
    """Return the worst of the artifacts' states."""
    return VERIFIED if all(artifact.verified for artifact in artifacts) else UNVERIFIED


def format_time(moment: datetime) -> str:
    """Return a moment as RFC 3339 in UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """Return the moment of an RFC 3339 time in UTC, a leap second as the one before it; raises ValueError."""
    text = f"{text.removesuffix(':60Z')}:59Z" if text.endswith(":60Z") else text
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the file's bytes; the last line is the seal, the SHA-256 of all before it."""
    document = {key: value for key, value in manifest.to_json().items() if key not in _MARKS}
    text = json.dumps(document, indent=2, ensure_ascii=False).encode(errors="backslashreplace")
    return _sealed(text.removesuffix(b"\n}"))


def _sealed(lines: bytes) -> bytes:
    return lines + b',\n  "seal": "sha256:' + hashlib.sha256(lines).hexdigest().encode() + b'"\n}\n'


def decode_manifest(data: bytes, where: Path) -> Manifest:
    """Read a manifest; fields that a later program version added are passed over.

    Raises RepositoryError where it is no manifest of a format that this version knows, and where it is not as it was
    written: a time or a size that reads otherwise now could have a backup deleted, or taken for a good one.
    """
    try:
        document = json.loads(data)
        if not isinstance(document, dict):
            raise TypeError("it is not an object")
        if document.get("format") != FORMAT:
            raise RepositoryError(
                f"{where}: format {document.get('format')!r}, and this version reads format {FORMAT}",
                hint="use the version of tracker-backup that wrote it, or a newer one",
            )
        if _has_seal(document) and data != _sealed(data.rpartition(b',\n  "seal": "')[0]):
            raise ValueError("it has changed since it was written")
        artifacts = tuple(_artifact(item) for item in document.get("artifacts", []))
        errors = tuple(made(Failure, item) for item in document.get("errors", []))
        document = {key: value for key, value in document.items() if key not in _MARKS}
        manifest = made(Manifest, {**document, "artifacts": artifacts, "errors": errors})
        parse_time(manifest.started_at)
        parse_time(manifest.finished_at)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RepositoryError(f"{where} is not a manifest: {error}") from error
    return manifest


def read_manifest(directory: Path) -> Manifest:
    """Read the manifest of a backup's directory.

    Raises RepositoryError where there is none or it is damaged.
    """
    path = directory / MANIFEST_NAME
    try:
        with opened_for_reading(path) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(_MOST_BYTES)
    except OSError as error:
        raise RepositoryError(f"cannot read {path}: {error.strerror}") from error
    return decode_manifest(data, path)


def _has_seal(document: Mapping[str, Any]) -> bool:
    """Tell whether a manifest has a seal, or had one: what is left of it when a byte of either half has changed."""
    return "seal" in document or any(str(value).startswith("sha256:") for value in document.values())


def _artifact(item: Mapping[str, Any]) -> Artifact:
    for key in ("file", "source"):
        name: object = item[key]
        # They become parts of paths and of lines on a terminal.
        if not isinstance(name, str) or not _PLAIN_NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be a file's name")
    artifact = made(Artifact, {**item, "checks": tuple(item.get("checks", ()))})
    if artifact.bytes < 0 or artifact.raw_bytes < 0:
        raise ValueError("a size is negative")
    require_facts(artifact.engine)
    return artifact


_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
