"""Whatever stands in the file: a sentence, never a traceback."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracker_backup.config.load import load_config
from tracker_backup.config.model import Config
from tracker_backup.config.schema import load_schema
from tracker_backup.errors import ConfigurationError

pytestmark = pytest.mark.guarantee(14)

SYNTAX = "&*!|>-?:{}[],#'\"%@`~ ab0x_\n\t.<=19TZ"
few = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.binary(max_size=5), st.dates(),
    st.sampled_from(["/a", "daily", "manual", "0 3 * * *", "@daily", "* * * * *", "auto", "cron.d", "https://a", 3.0]),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.integers(), inner, max_size=3),
    max_leaves=6,
)
KNOWN = sorted(load_schema()["properties"])
jobs = st.lists(
    st.dictionaries(st.sampled_from(["name", "schedule", "sources", "keep", "x"]), values, max_size=4), max_size=3
)
sources = st.lists(
    st.dictionaries(st.sampled_from(["name", "type", "path", "service"]), values, max_size=4), max_size=3
)
documents = st.fixed_dictionaries(
    {"stack": st.just("/opt/torrust") | values, "repository": st.just("/backups") | values},
    optional={"jobs": jobs | values, "sources": sources | values, "schedule": values}
    | {key: values for key in KNOWN if key not in ("stack", "repository", "jobs", "sources", "schedule")},
)


@pytest.fixture(scope="module")
def file() -> Path:
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory) / "default.yml"


def outcome(file: Path, data: bytes) -> Config | ConfigurationError:
    file.write_bytes(data)
    file.chmod(0o600)
    try:
        return load_config(file)
    except ConfigurationError as error:
        return error


@few
@given(document=documents)
def test_any_document_is_taken_or_refused(file: Path, document: dict[str, Any]) -> None:
    found = outcome(file, yaml.safe_dump(document, allow_unicode=True).encode())

    if isinstance(found, Config):
        assert isinstance(found.compression_level, int)
        assert found.repository.is_absolute()


@few
@given(data=st.binary(max_size=60) | st.text(alphabet=SYNTAX, max_size=60).map(str.encode))
def test_any_bytes_are_taken_or_refused(file: Path, data: bytes) -> None:
    assert isinstance(outcome(file, data), ConfigurationError)


@few
@given(tail=st.text(alphabet=SYNTAX, max_size=40))
def test_any_value_is_taken_or_refused(file: Path, tail: str) -> None:
    outcome(file, b"stack: /a\nrepository: /b\nlog_file: " + tail.encode())
