"""The manifest: what is written is read back, and what is not a manifest is said to be none."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.instance import a_manifest, an_artifact
from support.manifests import unsealed
from tracker_backup.cli.backups import describe
from tracker_backup.config.model import Keep
from tracker_backup.errors import RepositoryError
from tracker_backup.report.tables import backup_table
from tracker_backup.repository.manifest import (
    Artifact,
    Failure,
    Manifest,
    decode_manifest,
    encode_manifest,
    format_time,
    parse_time,
    read_manifest,
)
from tracker_backup.repository.retention import decide
from tracker_backup.repository.store import Backup

pytestmark = pytest.mark.guarantee(11)

WHERE = Path("/repository/x/manifest.json")
text = st.text(max_size=12)
number = st.integers(0, 2**62)
seconds = st.floats(0, 1e9)
names = st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True)
times = st.datetimes().map(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%SZ}").filter(lambda shown: len(shown) == 20)
checks = st.fixed_dictionaries({"check": text, "ok": st.none() | st.booleans(), "messages": st.lists(text, max_size=2)})
artifacts = st.builds(
    Artifact,
    source=names, type=text, file=names, state=text, snapshot_at=times, bytes=number, raw_bytes=number, sha256=text,
    raw_sha256=text, method=text, copy_seconds=seconds, write_stall_seconds=seconds, pause_seconds=seconds, path=text,
    service=st.none() | text, engine=st.dictionaries(text, number | text, max_size=2),
    checks=st.lists(checks, max_size=2).map(tuple),
)  # fmt: skip
manifests = st.builds(
    Manifest,
    id=text, instance=text, host=text, stack=text, job=text, manual=st.booleans(), version=text, started_at=times,
    finished_at=times, state=text, trigger=text, seconds=st.dictionaries(text, seconds, max_size=2),
    images=st.dictionaries(text, text, max_size=2), artifacts=st.lists(artifacts, max_size=2).map(tuple),
    errors=st.lists(st.builds(Failure, source=text, message=text, state=text), max_size=2).map(tuple),
    format=st.just(1),
)  # fmt: skip


@given(manifest=manifests)
def test_what_is_written_is_read_back(manifest: Manifest) -> None:
    assert decode_manifest(encode_manifest(manifest), WHERE) == manifest


@given(data=st.binary(max_size=40))
def test_bytes_are_no_manifest(data: bytes) -> None:
    with pytest.raises(RepositoryError, match=str(WHERE)):
        decode_manifest(data, WHERE)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
    max_leaves=4,
)


@given(
    top=st.dictionaries(st.sampled_from(sorted(asdict(a_manifest()))), values, max_size=3),
    inner=st.dictionaries(st.sampled_from(sorted(asdict(an_artifact()))), values, max_size=2),
)
def test_a_manifest_with_wrong_values_is_refused_or_harmless(top: dict[str, Any], inner: dict[str, Any]) -> None:
    """What the commands do with a manifest must not fail on one that was accepted."""
    document = unsealed(a_manifest())
    document["artifacts"][0] |= inner
    document |= top

    try:
        manifest = decode_manifest(json.dumps(document).encode(), WHERE)
    except RepositoryError:
        return
    assert describe(manifest)
    assert backup_table([Backup(manifest.id, WHERE.parent, manifest)])
    assert decide([manifest], {"daily": Keep(1)}, manifest.started)
    json.dumps(manifest.to_json())


def test_fields_of_a_later_version_are_passed_over() -> None:
    document = unsealed(a_manifest())
    document["colour"] = "red"
    document["artifacts"][0]["deduplicated"] = True
    document["errors"] = [{"source": "index", "message": "gone", "state": "failed", "since": 3}]

    manifest = decode_manifest(json.dumps(document).encode(), WHERE)

    assert manifest == replace(a_manifest(), errors=(Failure("index", "gone"),))


@pytest.mark.parametrize("number", [2, "1", None, 1.5, [1]])
def test_another_format_says_what_to_use(number: object) -> None:
    document = {**unsealed(a_manifest()), "format": number}

    with pytest.raises(RepositoryError) as caught:
        decode_manifest(json.dumps(document).encode(), WHERE)

    assert f"format {number!r}, and this version reads format 1" in str(caught.value)
    assert "use the version of tracker-backup that wrote it" in str(caught.value)


def test_a_format_without_anything_else_is_the_first_thing_told() -> None:
    """A later format may have none of the keys that this one has."""
    with pytest.raises(RepositoryError, match="format 7"):
        decode_manifest(b'{"format": 7}', WHERE)


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "/etc/passwd", "", ".", "..", ".hidden", "a\0b", "a\nb", "-rf", "\x1b[2J", 7]
)
@pytest.mark.parametrize("key", ["file", "source"])
def test_names_that_lead_elsewhere_are_refused(key: str, name: object) -> None:
    document = unsealed(a_manifest())
    document["artifacts"][0][key] = name

    with pytest.raises(RepositoryError, match="cannot be a file's name"):
        decode_manifest(json.dumps(document).encode(), WHERE)


@pytest.mark.parametrize(
    "change",
    [
        {"job": ["daily"]}, {"id": None}, {"started_at": "yesterday"}, {"started_at": "2026-11-22T03:00:00+01:00"},
        {"finished_at": 3}, {"seconds": {"copy": "x"}}, {"seconds": []}, {"images": {"a": 1}}, {"errors": ["x"]},
        {"artifacts": None}, {"artifacts": [1]}, {"manual": "no"},
    ],
    ids=str,
)  # fmt: skip
def test_values_of_another_type_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(RepositoryError, match="is not a manifest"):
        decode_manifest(json.dumps({**unsealed(a_manifest()), **change}).encode(), WHERE)


@pytest.mark.parametrize(
    "change", [{"bytes": -1}, {"raw_bytes": 1.5}, {"bytes": True}, {"checks": "ok"}, {"checks": [1]}]
)
def test_an_artifact_of_another_type_is_refused(change: dict[str, Any]) -> None:
    document = unsealed(a_manifest())
    document["artifacts"][0] |= change

    with pytest.raises(RepositoryError, match="is not a manifest"):
        decode_manifest(json.dumps(document).encode(), WHERE)


@pytest.mark.parametrize("missing", ["id", "job", "started_at", "state"])
def test_a_manifest_without_what_it_needs_is_refused(missing: str) -> None:
    document = unsealed(a_manifest())
    del document[missing]

    with pytest.raises(RepositoryError, match=missing):
        decode_manifest(json.dumps(document).encode(), WHERE)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"format": 1}', b"1" * 5000])
def test_damage_is_told(data: bytes) -> None:
    with pytest.raises(RepositoryError, match="manifest"):
        decode_manifest(data, WHERE)


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    with (tmp_path / "manifest.json").open("wb") as file:
        file.truncate(2**40)

    with pytest.raises(RepositoryError, match="is not a manifest"):
        read_manifest(tmp_path)


def test_a_missing_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match=f"cannot read {tmp_path}/manifest.json"):
        read_manifest(tmp_path)


def test_the_states_of_a_manifest() -> None:
    unchecked = an_artifact(state="unverified", checks=())
    cannot_tell = an_artifact(state="unverified")

    assert (a_manifest().verified, a_manifest().good) == (True, True)
    assert a_manifest(state="unverified", artifacts=(unchecked,)).good
    assert not a_manifest(state="unverified", artifacts=(cannot_tell,)).good
    assert not a_manifest(state="unverified", artifacts=(unchecked, cannot_tell)).good
    assert not a_manifest(state="partial").good


@given(moment=st.datetimes().filter(lambda moment: moment.year > 999))
def test_times_are_read_as_they_are_written(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC, microsecond=0)
    assert parse_time(format_time(aware)) == aware
