from __future__ import annotations

import contextlib
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracker_backup.errors import ConfigurationError
from tracker_backup.stack.databaseurl import normal_driver, server_address, sqlite_path

pytestmark = pytest.mark.guarantee(14)


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
    ("url", "expected"),
    [
        ("mysql://u:p@mysql:3306/torrust_tracker", ("mysql", 3306, "u", "p", "torrust_tracker")),
        ("mysql://mysql/torrust%5Ftracker?pool=1", ("mysql", 3306, "", "", "torrust_tracker")),
        ("mysql://u:p%40%3A%2F%23%3F@[::1]:3307/a%20b", ("::1", 3307, "u", "p@:/#?", "a b")),
        ("MariaDB://us%65r%40x@10.0.0.7:/db", ("10.0.0.7", 3306, "user@x", "", "db")),
        ("postgresql://u:@db/x#y", ("db", 5432, "u", "", "x")),
        ("mysql://u:p@ss:w [\"'$%zz\\@h/db", ("h", 3306, "u", "p@ss:w [\"'$%zz\\", "db")),
        ("mysql://u:℀\t@h/db", ("h", 3306, "u", "℀\t", "db")),
    ],
)
def test_address_of_a_server_s_url(url: str, expected: tuple[str, int, str, str, str]) -> None:
    address = server_address(url, where="here")
    assert (address.host, address.port, address.user, address.password, address.schema) == expected


def test_an_address_keeps_its_password_to_itself() -> None:
    assert "canary" not in repr(server_address("mysql://canary:canary@h/db", where="here"))


@pytest.mark.parametrize(
    "url",
    [
        *("", "mysql", "mysql://", "mysql://u:canary@mysql", "mysql://u:canary@mysql/"),
        *("mysql://u:canary/pass@mysql/db", "mysql://u:pass#canary@mysql/db", "mysql://u:pass?canary@mysql/db"),
        *("u:canary@mysql/db", "mysql://u:p/canary@db", "mysql://u:canary@h:99999/db", "mysql://u:canary@/db"),
        *("mysql://u:canary@h:x/db", "mysql://u:canary@[::1/db", "mysql://u:canary@h/db/more"),
    ],
)
def test_what_cannot_be_read_is_refused_without_any_part_of_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        server_address(url, where="here")
    assert "canary" not in str(error.value)
    assert error.value.__cause__ is None


@given(user=st.text(), password=st.text(), schema=st.text(st.characters(categories=["L", "N"]), min_size=1))
@example(user="u", password="p@ss:w/rd#%\"'$ 1", schema="s")
def test_any_encoded_login_comes_out_as_it_was(user: str, password: str, schema: str) -> None:
    user, password = (text.encode(errors="replace").decode() for text in (user, password))
    url = f"mysql://{quote(user, safe='')}:{quote(password, safe='')}@mysql/{quote(schema)}"
    address = server_address(url, where="here")
    assert (address.user, address.password, address.schema) == (user, password, schema)


@given(st.text())
@example("/canary#")
@example("/canary?")
def test_no_part_of_a_malformed_password_passes_for_a_schema(password: str) -> None:
    """Not encoded, as somebody might write it: an error, or the true schema and server."""
    with contextlib.suppress(ConfigurationError):
        address = server_address(f"mysql://u:{password}@mysql/schema", where="here")
        assert (address.host, address.schema) == ("mysql", "schema")
