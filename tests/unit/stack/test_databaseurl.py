from __future__ import annotations

import contextlib
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracker_backup.errors import ConfigurationError
from tracker_backup.stack.databaseurl import normal_driver, schema_of, sqlite_path


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///var/lib/a.db?mode=rwc", "/var/lib/a.db"),
        ("sqlite://data.db?mode=rwc", "data.db"),
        ("sqlite:data.db", "data.db"),
        ("sqlite:///a%20b%23.db", "/a b#.db"),
        ("sqlite::memory:", ":memory:"),
        ("sqlite://:memory:", ":memory:"),
    ],
)
def test_path_of_a_sqlite_url(url: str, path: str) -> None:
    assert sqlite_path(url) == path


@pytest.mark.parametrize(
    ("name", "driver"),
    [("Sqlite3", "sqlite"), ("sqlite", "sqlite"), ("MySQL", "mysql"), ("postgresql", "postgresql"), ("oracle", None)],
)
def test_drivers_in_any_case(name: str, driver: str | None) -> None:
    assert normal_driver(name) == driver


@pytest.mark.parametrize(
    ("url", "schema"),
    [
        ("mysql://u:p@mysql:3306/torrust_tracker", "torrust_tracker"),
        ("mysql://mysql/torrust%5Ftracker?pool=1", "torrust_tracker"),
        ("mysql://u:p%40%3A%2F%23%3F@[::1]:3306/a%20b", "a b"),
    ],
)
def test_schema_of_a_server_s_url(url: str, schema: str) -> None:
    assert schema_of(url, where="here") == schema


@pytest.mark.parametrize(
    "url",
    [
        *("", "mysql", "mysql://", "mysql://u:canary@mysql", "mysql://u:canary@mysql/"),
        *("mysql://u:canary/pass@mysql/db", "mysql://u:pass#canary@mysql/db", "mysql://u:pass?canary@mysql/db"),
        *("mysql://u:[canary@mysql/db", "u:canary@mysql/db", "mysql://u:p/canary@db"),
    ],
)
def test_what_cannot_be_read_is_refused_without_any_part_of_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        schema_of(url, where="here")
    assert "canary" not in str(error.value)
    assert error.value.__cause__ is None


@given(password=st.text(), schema=st.text(st.characters(categories=["L", "N"]), min_size=1))
def test_any_encoded_password_leaves_the_schema_whole(password: str, schema: str) -> None:
    url = f"mysql://u:{quote(password.encode(errors='replace'), safe='')}@mysql/{quote(schema)}"
    assert schema_of(url, where="here") == schema


@given(st.text())
@example("/canary#")
@example("/canary?")
def test_no_part_of_a_malformed_password_passes_for_a_schema(password: str) -> None:
    """Not encoded, as somebody might write it: an error, or the true schema."""
    with contextlib.suppress(ConfigurationError):
        assert schema_of(f"mysql://u:{password}@mysql/schema", where="here") == "schema"
