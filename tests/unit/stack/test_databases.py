from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker_backup.compose.model import Service, Variable
from tracker_backup.errors import ConfigurationError
from tracker_backup.stack import databases
from tracker_backup.stack.databases import DatabaseSetting
from tracker_backup.stack.databaseurl import ServerAddress
from tracker_backup.stack.torrust import INDEX, TRACKER

DRIVER = "TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__DRIVER"
PATH = "TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__PATH"
CONNECT_URL = "TORRUST_INDEX_CONFIG_OVERRIDE_DATABASE__CONNECT_URL"


def service(environment: dict[str, str] | None = None, *, from_env_file: bool = False, **other: Any) -> Service:
    variables = {
        name: Variable(value, "compose.yaml", from_env_file=from_env_file)
        for name, value in (environment or {}).items()
    }
    return Service("tracker", variables=variables, **other)


def database(
    document: dict[str, Any] | None, environment: dict[str, str] | None = None, **other: Any
) -> DatabaseSetting:
    return databases.database_of(service(environment, **other), TRACKER, document, where="/etc/tracker.toml")


def index_database(document: dict[str, Any] | None, environment: dict[str, str] | None = None) -> DatabaseSetting:
    return databases.database_of(service(environment), INDEX, document, where="/etc/index.toml")


@pytest.mark.parametrize(
    ("document", "environment", "path"),
    [
        ({"core": {"database": {"driver": "sqlite3", "path": "/a.db"}}}, {}, "/a.db"),
        ({"core": {"database": {"path": "/a.db"}}}, {}, "/a.db"),
        ({"core": {"database": {"driver": "mysql", "path": "mysql://x"}}}, {DRIVER: "sqlite3", PATH: "/b.db"}, "/b.db"),
        ({"core": {"database": {"path": "/a.db"}}}, {PATH: '"/quoted.db"'}, "/quoted.db"),
        ({"core": {"database": {"path": "/a.db"}}}, {PATH: "", DRIVER: ""}, "/a.db"),
        ({"db_driver": "Sqlite3", "db_path": "/old.db"}, {}, "/old.db"),
        ({"core": {"database": {"path": "./rel.db"}}}, {}, "/home/torrust/rel.db"),
        ({}, {}, "/home/torrust/storage/tracker/lib/database/sqlite3.db"),
        (None, {}, "/var/lib/torrust/tracker/database/sqlite3.db"),
        (None, {DRIVER: "sqlite3", PATH: "/c.db"}, "/c.db"),
    ],
)
def test_the_tracker_s_sqlite_file(document: dict[str, Any] | None, environment: dict[str, str], path: str) -> None:
    setting = database(document, environment)
    assert (setting.type, setting.path, setting.schema) == ("sqlite", path, None)


@pytest.mark.parametrize(
    ("document", "environment", "schema"),
    [
        ({"core": {"database": {"driver": "mysql", "path": "mysql://u:canary%40@mysql/live"}}}, {}, "live"),
        ({"core": {"database": {"path": "/a.db"}}}, {DRIVER: "mysql", PATH: "mysql://u:canary@mysql/live"}, "live"),
        ({"db_driver": "MySQL", "db_path": "mysql://u:canary@mysql/live"}, {}, "live"),
        ({"core": {"database": {"driver": "mysql", "password": "canary", "database": "v3"}}}, {}, "v3"),
        (None, {"TORRUST_TRACKER_DATABASE": "mysql"}, "torrust_tracker"),
        (None, {DRIVER: "mysql"}, "torrust_tracker"),
    ],
)
def test_the_tracker_s_schema(document: dict[str, Any] | None, environment: dict[str, str], schema: str) -> None:
    setting = database(document, environment)
    assert (setting.type, setting.path, setting.schema) == ("mysql", None, schema)
    assert "canary" not in repr(setting)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///var/lib/torrust/index/database/sqlite3.db?mode=rwc", "/var/lib/torrust/index/database/sqlite3.db"),
        ("sqlite://data.db?mode=rwc", "/home/torrust/data.db"),
        ("mysql://u:canary@mysql:3306/torrust_index", "torrust_index"),
    ],
)
def test_the_index_s_database(url: str, expected: str) -> None:
    for setting in (index_database({"database": {"connect_url": url}}), index_database({}, {CONNECT_URL: url})):
        assert expected in (setting.path, setting.schema)
        assert "canary" not in repr(setting)


HOST = {"driver": "mysql", "host": "db", "user": "u@", "password": "canary%40", "database": "live"}


def test_a_server_in_single_settings_as_schema_3_has_them() -> None:
    setting = database({"core": {"database": {**HOST, "port": 3307}}})
    assert setting.schema == "live"
    assert setting.address == ServerAddress("db", 3307, "u@", "canary%40", "live")
    assert "canary" not in repr(setting)
    overridden = database({"core": {"database": HOST}}, {PATH.replace("PATH", "PASSWORD"): "other"})
    assert overridden.address == ServerAddress("db", 3306, "u@", "other", "live")
    with pytest.raises(ConfigurationError, match=r"the port .* is not a number"):
        database({"core": {"database": {**HOST, "port": "canary"}}})


def test_schema_3_keeps_no_database_where_none_is_named() -> None:
    metadata = {"schema_version": "3.0.0"}
    assert database({"metadata": metadata}).type == "none"
    assert database({"metadata": metadata}, {DRIVER: "sqlite3"}).type == "sqlite"
    assert database({"metadata": metadata, "core": {"database": {"path": "/a.db"}}}).path == "/a.db"
    assert database({"metadata": {"schema_version": "2.0.0"}}).type == "sqlite"


def test_before_there_is_a_configuration_the_entry_point_s_variable_says_the_driver() -> None:
    setting = database(None, {"TORRUST_TRACKER_DATABASE": "mysql", PATH: "mysql://u:canary@mysql/live"})
    assert (setting.type, setting.schema) == ("mysql", "live")


def test_the_index_s_defaults() -> None:
    assert index_database(None).path == "/var/lib/torrust/index/database/sqlite3.db"
    assert index_database({}).path == "/home/torrust/data.db"
    assert index_database(None, {"TORRUST_INDEX_DATABASE_DRIVER": "mysql"}).schema == "torrust_index"


def test_a_database_in_memory_is_no_file() -> None:
    assert index_database({"database": {"connect_url": "sqlite::memory:"}}).type == "memory"


def test_the_origin_names_keys_and_files() -> None:
    document = {"core": {"database": {"driver": "sqlite3", "path": "/a.db"}}}
    expected = f"driver from {DRIVER} in compose.yaml, path from [core.database] path in tracker.toml"
    assert database(document, {DRIVER: "sqlite3"}).origin == expected
    url = {"database": {"connect_url": "sqlite:///a.db"}}
    assert index_database(url).origin == "from [database] connect_url in index.toml"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"core": {"database": {"driver": "sqlite3", "path": "mysql://u:canary@mysql/x"}}}, "is not that of a file"),
        ({"core": {"database": {"driver": "mysql", "path": "/canary.db"}}}, "cannot be read"),
        ({"core": {"database": {"driver": "mysql", "path": "mysql://u:p@canary@mysql"}}}, "cannot be read"),
        ({"core": {"database": {"driver": "canary"}}}, "is none of sqlite3, mysql, postgresql"),
        ({"core": {"database": {"path": ""}}}, r"\(\[core\.database\] path in tracker\.toml\) is empty"),
        ({"core": {"database": {"driver": "mysql", "database": ""}}}, "is empty"),
        ({"core": {"database": {"path": 5}}}, r"tracker\.toml: \[core\.database\] path is not a string"),
        ({"core": "canary"}, r"tracker\.toml: core\.database\.driver: database is not in a table"),
        ({"core": {"database": {"path": "/a\0canary"}}}, "is not that of a file"),
    ],
)
def test_settings_that_cannot_be_are_refused_without_their_values(document: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as error:
        database(document)
    assert "canary" not in str(error.value)


def test_toml_errors_name_place_and_line_and_show_nothing() -> None:
    with pytest.raises(ConfigurationError, match=r"^t\.toml, line 2: not valid TOML\n") as error:
        databases.parse_toml("a = 1\nb = canary\n", where="t.toml")
    assert error.value.__cause__ is None
    with pytest.raises(ConfigurationError, match="not valid TOML"):
        databases.parse_toml("a = " + "[" * 100_000, where="t.toml")


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.text() | st.integers() | st.booleans(),
    lambda inner: st.dictionaries(st.sampled_from(["core", "database", "driver", "path", "connect_url"]), inner),
)


@given(VALUES.filter(lambda value: isinstance(value, dict)), st.sampled_from(["sqlite3", "mysql", ""]), st.text())
def test_any_document_gives_a_setting_or_a_configuration_error(
    document: dict[str, Any], driver: str, path: str
) -> None:
    for find in (database, index_database):
        try:
            setting = find(document, {DRIVER: driver, PATH: path, CONNECT_URL: path})
        except ConfigurationError:
            continue
        assert setting.type == "memory" or setting.path or setting.schema
        assert setting.path is None or setting.path.startswith("/")
