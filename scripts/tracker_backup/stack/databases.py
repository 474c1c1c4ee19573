"""Read from a tracker's or index's configuration and variables which database it uses."""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tracker_backup.compose import paths
from tracker_backup.compose.model import Service
from tracker_backup.errors import ConfigurationError
from tracker_backup.stack import databaseurl
from tracker_backup.stack.torrust import INDEX, TRACKER, Product, Setting, setting_of, working_directory

DatabaseType = Literal["sqlite", "mysql", "postgresql", "memory", "none"]
_DATABASE_KEYS = ("driver", "path", "host", "port", "user", "password", "database")
_HINT_SOURCES = "or name the databases under `sources:` in the configuration"


@dataclass(frozen=True)
class DatabaseSetting:
    """The database that a service uses: a file's absolute path in the container, or a schema, and its `origin`.

    Of the types `memory` is one of SQLite's that is no file, and `none` that the program was told to keep nothing.
    `address` is the server of the schema, None where only a schema's name is known.
    """

    type: DatabaseType
    origin: str
    path: str | None = None
    schema: str | None = None
    address: databaseurl.ServerAddress | None = None


def parse_toml(text: str, *, where: str) -> dict[str, Any]:
    """Parse TOML; `where` names it in messages, which give the line and not what stands there.

    Raises ConfigurationError for text that is not TOML.
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        said = re.search(r"at line (\d+)", str(error))
        line = said[1] if said else text.count("\n") + 1  # the other place is the end
        raise ConfigurationError(f"{where}, line {line}: not valid TOML", hint=f"correct it, {_HINT_SOURCES}") from None


def database_of(
    service: Service, product: Product, document: Mapping[str, Any] | None, *, where: str
) -> DatabaseSetting:
    """Return the database of a service whose configuration is `document`; None means that of the image.

    `where` names the document: a file's path, or the variable with its text.
    Raises ConfigurationError, without passwords, for settings that contradict each other or cannot be read.
    """
    if product is INDEX:
        return _index_database(service, document, where)
    return _tracker_database(service, document, where)


def _tracker_database(service: Service, document: Mapping[str, Any] | None, where: str) -> DatabaseSetting:
    look = _TrackerSettings(service, _Toml(document or {}, where))
    driver, path, name = look("driver", flat="db_driver"), look("path", flat="db_path"), look("database")
    if document is None:
        if not path and not name:
            return _image_default(service, TRACKER, driver)
        driver = driver or setting_of(service, *TRACKER.driver_variables)
    elif look.keeps_nothing():
        return DatabaseSetting("none", f"no [core.database] in {posixpath.basename(where)}")
    driver = driver or Setting("sqlite3", "the tracker's default driver")
    path = path or Setting("./storage/tracker/lib/database/sqlite3.db", "the tracker's default path")
    return _setting(service, driver, path, name, look.address())


class _TrackerSettings:
    """The settings of a tracker's database: a variable that overrides, the TOML's [core.database], its oldest form."""

    def __init__(self, service: Service, toml: _Toml) -> None:
        self._service = service
        self._toml = toml

    def __call__(self, key: str, *, flat: str | None = None) -> Setting | None:
        variable = f"TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__{key.upper()}"
        found = _override(self._service, variable) or self._toml.get("core", "database", key)
        return found or (self._toml.get(flat) if flat else None)

    def keeps_nothing(self) -> bool:
        """Tell whether the configuration is of the schema that keeps a database only where one is named."""
        version = self._toml.get("metadata", "schema_version")
        return version is not None and version.value.startswith("3.") and not any(map(self, _DATABASE_KEYS))

    def address(self) -> databaseurl.ServerAddress | None:
        """Return the server that single settings name, as they do from schema 3 on; None where a URL does."""
        host, port, name = self("host"), self("port"), self("database")
        if host is None or name is None:
            return None
        user, password = self("user"), self("password")
        driver = self("driver")
        kind = databaseurl.normal_driver(driver.value) if driver else None
        number = port.value if port else str(databaseurl.DEFAULT_PORTS[kind or "mysql"])
        if not number.isdecimal():
            said = port.said if port else ""
            raise ConfigurationError(
                f"service {self._service.name}: the port ({said}) is not a number", hint=f"correct it, {_HINT_SOURCES}"
            )
        return databaseurl.ServerAddress(
            host.value, int(number), user.value if user else "", password.value if password else "", name.value
        )


def _index_database(service: Service, document: Mapping[str, Any] | None, where: str) -> DatabaseSetting:
    toml = _Toml(document or {}, where)
    url = _override(service, "TORRUST_INDEX_CONFIG_OVERRIDE_DATABASE__CONNECT_URL") or toml.get(
        "database", "connect_url"
    )
    if url is None and document is None:
        return _image_default(service, INDEX, None)
    url = url or Setting("sqlite://data.db?mode=rwc", "the index's default")
    driver = Setting(databaseurl.scheme_of(url.value), url.said)
    if databaseurl.normal_driver(driver.value) == "sqlite":
        url = Setting(databaseurl.sqlite_path(url.value), url.said)
    return _setting(service, driver, url)


def _image_default(service: Service, product: Product, driver: Setting | None) -> DatabaseSetting:
    """Return the database of a service that has no configuration yet; its image chooses one by the driver."""
    said = "the image's default"
    driver = driver or setting_of(service, *product.driver_variables) or Setting("sqlite3", said)
    return _setting(service, driver, Setting(product.default_database, said), Setting(product.default_schema, said))


def _setting(
    service: Service,
    driver: Setting,
    path: Setting,
    name: Setting | None = None,
    address: databaseurl.ServerAddress | None = None,
) -> DatabaseSetting:
    kind = databaseurl.normal_driver(driver.value)
    if kind is None:
        raise ConfigurationError(
            f"service {service.name}: the database driver ({driver.said}) is none of sqlite3, mysql, postgresql",
            hint=f"correct it, {_HINT_SOURCES}",
        )
    place = path if kind == "sqlite" else name or path
    if not place.value:
        raise ConfigurationError(
            f"service {service.name}: the database ({place.said}) is empty", hint=f"correct it, {_HINT_SOURCES}"
        )
    if kind == "sqlite":
        return _sqlite_setting(service, driver, path)
    said = _origins(driver, place)
    server: DatabaseType = "mysql" if kind == "mysql" else "postgresql"
    if name and (address or "://" not in path.value):
        return DatabaseSetting(server, said, schema=name.value, address=address)
    address = databaseurl.server_address(path.value, where=f"service {service.name}, {path.said}")
    return DatabaseSetting(server, said, schema=name.value if name else address.schema, address=address)


def _sqlite_setting(service: Service, driver: Setting, path: Setting) -> DatabaseSetting:
    if path.value == databaseurl.MEMORY:
        return DatabaseSetting("memory", f"from {path.said}")
    if "://" in path.value or "\0" in path.value:
        raise ConfigurationError(
            f"service {service.name}: the driver is sqlite3 ({driver.said}), "
            f"but the path ({path.said}) is not that of a file",
            hint=f"make driver and path agree, {_HINT_SOURCES}",
        )
    return DatabaseSetting(
        "sqlite", _origins(driver, path), path=paths.normal(path.value, base=working_directory(service))
    )


class _Toml:
    """Strings in a parsed TOML document, by the keys that lead to them."""

    def __init__(self, document: Mapping[str, Any], where: str) -> None:
        self._document = document
        self._where = where

    def get(self, *keys: str) -> Setting | None:
        value: Any = self._document
        for key in keys:
            if not isinstance(value, dict):
                raise ConfigurationError(f"{self._where}: {'.'.join(keys)}: {key} is not in a table")
            value = value.get(key)
            if value is None:
                return None
        *tables, last = keys
        table = f"[{'.'.join(tables)}] " if tables else ""
        if isinstance(value, int) and not isinstance(value, bool) and last == "port":
            value = str(value)
        if not isinstance(value, str):
            raise ConfigurationError(f"{self._where}: {table}{last} is not a string")
        return Setting(value, f"{table}{last} in {posixpath.basename(self._where)}")


def _override(service: Service, name: str) -> Setting | None:
    """Return an override; the programs take off one pair of double quotes, as around a TOML string."""
    found = setting_of(service, name)
    if found and len(found.value) > 1 and found.value[0] == found.value[-1] == '"':
        return Setting(found.value[1:-1], found.said)
    return found


def _origins(driver: Setting, path: Setting) -> str:
    if driver.said == path.said:
        return f"from {path.said}"
    return f"driver from {driver.said}, path from {path.said}"
