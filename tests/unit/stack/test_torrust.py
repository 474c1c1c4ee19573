from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker_backup.errors import ConfigurationError
from tracker_backup.stack import torrust
from tracker_backup.stack.model import Mount, Service, Variable
from tracker_backup.stack.torrust import INDEX, TRACKER, DatabaseSetting, Product, Recognised

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
    return torrust.database_of(service(environment, **other), TRACKER, document, where="/etc/tracker.toml")


def index_database(document: dict[str, Any] | None, environment: dict[str, str] | None = None) -> DatabaseSetting:
    return torrust.database_of(service(environment), INDEX, document, where="/etc/index.toml")


@pytest.mark.parametrize(
    ("image", "product"),
    [
        ("torrust/tracker", TRACKER),
        ("torrust/tracker:develop", TRACKER),
        ("docker.io/torrust/tracker@sha256:0123", TRACKER),
        ("registry.example:5000/mirror/torrust/tracker:v3", TRACKER),
        ("torrust-tracker", TRACKER),
        ("ghcr.io/torrust/torrust-tracker:v4", TRACKER),
        ("torrust/index:v4", INDEX),
        ("torrust/index-backend:v3", INDEX),
        ("torrust/index-gui:v4", None),
        ("torrust/tracker-backup:latest", None),
        ("nottorrust/tracker2", None),
        ("grafana/grafana", None),
        (None, None),
    ],
)
def test_a_service_is_known_by_its_image(image: str | None, product: Product | None) -> None:
    expected = Recognised(product, certain=True) if product else None
    assert torrust.recognise(service(image=image)) == expected


def test_a_service_is_known_by_its_mounts_and_variables() -> None:
    tracker, shared = Recognised(TRACKER, certain=True), Recognised(TRACKER, certain=False)
    for target in ("/etc/torrust/tracker", "/etc/torrust/tracker/tracker.toml"):
        assert torrust.recognise(service(mounts=(Mount("bind", "/x", target),))) == tracker
    assert torrust.recognise(service({DRIVER: "sqlite3"})) == tracker
    assert torrust.recognise(service({DRIVER: "sqlite3"}, from_env_file=True)) == shared
    assert torrust.recognise(service({CONNECT_URL: "x"})) == Recognised(INDEX, certain=True)
    assert torrust.recognise(service({"TORRUST_TRACKER_API": "x"}, mounts=(Mount("bind", "/x", "/data"),))) is None


def test_inline_configuration_goes_before_a_path_and_a_path_before_the_default() -> None:
    both = {"TORRUST_TRACKER_CONFIG_TOML": "canary", "TORRUST_TRACKER_CONFIG_TOML_PATH": "/a/b.toml"}
    inline = torrust.reference(service(both), TRACKER)
    assert inline.inline == "canary"
    assert "canary" not in repr(inline)
    by_path = torrust.reference(service({"TORRUST_TRACKER_CONFIG_TOML_PATH": "/a/./b.toml"}), TRACKER)
    assert (by_path.path, by_path.inline) == ("/a/b.toml", None)
    assert by_path.said == "TORRUST_TRACKER_CONFIG_TOML_PATH in compose.yaml"
    assert torrust.reference(service({"TORRUST_TRACKER_CONFIG_TOML_PATH": ""}), TRACKER).path == TRACKER.default_toml
    assert torrust.reference(service(), INDEX).path == "/etc/torrust/index/index.toml"
    assert torrust.reference(service({"TORRUST_INDEX_CONFIG_TOML_PATH": "/i.toml"}), INDEX).path == "/i.toml"
    relative = service({"TORRUST_TRACKER_CONFIG_TOML_PATH": "etc/t.toml"}, working_dir="/srv")
    assert torrust.reference(relative, TRACKER).path == "/srv/etc/t.toml"


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
        torrust.parse_toml("a = 1\nb = canary\n", where="t.toml")
    assert error.value.__cause__ is None
    with pytest.raises(ConfigurationError, match="not valid TOML"):
        torrust.parse_toml("a = " + "[" * 100_000, where="t.toml")


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
