"""Know a Torrust tracker or index among a project's services, and read which database it uses."""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tracker_backup.errors import ConfigurationError
from tracker_backup.stack import databaseurl, paths
from tracker_backup.stack.model import Service

DatabaseType = Literal["sqlite", "mysql", "postgresql", "memory"]
_WORKING_DIRECTORY = "/home/torrust"  # the images' entry point goes there


@dataclass(frozen=True)
class Product:
    """A program that keeps a database: how to know its services, where its configuration is, what its image brings."""

    label: str
    image: re.Pattern[str]
    prefixes: tuple[str, ...]
    inline_variables: tuple[str, ...]
    path_variables: tuple[str, ...]
    default_toml: str
    driver_variables: tuple[str, ...]
    default_database: str
    default_schema: str


TRACKER = Product(
    label="tracker",
    image=re.compile(r"(?:^|/)(?:torrust/|torrust-)tracker(?=[:@]|$)"),
    prefixes=("TORRUST_TRACKER_CONFIG", "TORRUST_TRACKER_PATH_CONFIG", "TORRUST_TRACKER_DATABASE"),
    inline_variables=("TORRUST_TRACKER_CONFIG_TOML", "TORRUST_TRACKER_CONFIG"),
    path_variables=("TORRUST_TRACKER_CONFIG_TOML_PATH", "TORRUST_TRACKER_PATH_CONFIG"),
    default_toml="/etc/torrust/tracker/tracker.toml",
    driver_variables=("TORRUST_TRACKER_DATABASE_DRIVER", "TORRUST_TRACKER_DATABASE"),
    default_database="/var/lib/torrust/tracker/database/sqlite3.db",
    default_schema="torrust_tracker",
)
INDEX = Product(
    label="index",
    image=re.compile(r"(?:^|/)(?:torrust/|torrust-)index(?:-backend)?(?=[:@]|$)"),
    prefixes=("TORRUST_INDEX_CONFIG", "TORRUST_INDEX_PATH_CONFIG", "TORRUST_INDEX_DATABASE"),
    inline_variables=("TORRUST_INDEX_CONFIG_TOML", "TORRUST_INDEX_CONFIG"),
    path_variables=("TORRUST_INDEX_CONFIG_TOML_PATH", "TORRUST_INDEX_PATH_CONFIG"),
    default_toml="/etc/torrust/index/index.toml",
    driver_variables=("TORRUST_INDEX_DATABASE_DRIVER", "TORRUST_INDEX_DATABASE"),
    default_database="/var/lib/torrust/index/database/sqlite3.db",
    default_schema="torrust_index",
)
_PRODUCTS = (TRACKER, INDEX)


@dataclass(frozen=True)
class Recognised:
    """A service that is a `product`; not `certain` when only an env_file, which others may share, says so."""

    product: Product
    certain: bool


@dataclass(frozen=True)
class Reference:
    """Where a service's configuration is: its text `inline`, or the path of a file in the container; `said` by what."""

    path: str
    said: str
    inline: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class DatabaseSetting:
    """The database that a service uses: a file's absolute path in the container, or a schema, and its `origin`."""

    type: DatabaseType
    origin: str
    path: str | None = None
    schema: str | None = None


@dataclass(frozen=True)
class _Setting:
    value: str = field(repr=False)
    said: str


def recognise(service: Service) -> Recognised | None:
    """Return which product the service runs, by its image, its mounts or its variables; None for all other services."""
    for product in _PRODUCTS:
        if service.image and product.image.search(service.image):
            return Recognised(product, certain=True)
    for product in _PRODUCTS:
        homes = (product.default_toml, posixpath.dirname(product.default_toml))
        if any(mount.target in homes for mount in service.mounts):
            return Recognised(product, certain=True)
    found = [_by_variables(service, product) for product in _PRODUCTS]
    known = [recognised for recognised in found if recognised]
    return next((recognised for recognised in known if recognised.certain), next(iter(known), None))


def _by_variables(service: Service, product: Product) -> Recognised | None:
    named = [variable for name, variable in service.variables.items() if name.startswith(product.prefixes)]
    if not named:
        return None
    own = not all(variable.from_env_file for variable in named)
    # Whoever shares the env_file but is another program does not keep its data there.
    data = paths.locate(product.default_database, service.mounts) != paths.NotOnHost(None)
    return Recognised(product, certain=own or data)


def reference(service: Service, product: Product) -> Reference:
    """Return where the service finds its configuration: a variable with its text, one with its path, or the default."""
    inline = _variable(service, *product.inline_variables)
    if inline:
        return Reference(product.default_toml, inline.said, inline.value)
    path = _variable(service, *product.path_variables)
    if path:
        return Reference(paths.normal(path.value, base=_base(service)), path.said)
    return Reference(product.default_toml, f"the default place, {product.path_variables[0]} is not set")


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


_HINT_SOURCES = "or name the databases under `sources:` in the configuration"


def _tracker_database(service: Service, document: Mapping[str, Any] | None, where: str) -> DatabaseSetting:
    toml = _Toml(document or {}, where)
    override = "TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__"
    driver = _override(service, f"{override}DRIVER") or toml.get("core", "database", "driver") or toml.get("db_driver")
    path = _override(service, f"{override}PATH") or toml.get("core", "database", "path") or toml.get("db_path")
    name = _override(service, f"{override}DATABASE") or toml.get("core", "database", "database")
    if document is None and not path and not name:
        return _image_default(service, TRACKER, driver)
    driver = driver or _Setting("sqlite3", "the tracker's default driver")
    path = path or _Setting("./storage/tracker/lib/database/sqlite3.db", "the tracker's default path")
    return _setting(service, driver, path, name)


def _index_database(service: Service, document: Mapping[str, Any] | None, where: str) -> DatabaseSetting:
    toml = _Toml(document or {}, where)
    url = _override(service, "TORRUST_INDEX_CONFIG_OVERRIDE_DATABASE__CONNECT_URL") or toml.get(
        "database", "connect_url"
    )
    if url is None and document is None:
        return _image_default(service, INDEX, None)
    url = url or _Setting("sqlite://data.db?mode=rwc", "the index's default")
    driver = _Setting(databaseurl.scheme_of(url.value), url.said)
    if databaseurl.normal_driver(driver.value) == "sqlite":
        url = _Setting(databaseurl.sqlite_path(url.value), url.said)
    return _setting(service, driver, url, None)


def _image_default(service: Service, product: Product, driver: _Setting | None) -> DatabaseSetting:
    """Return the database of a service that has no configuration yet; its image chooses one by the driver."""
    said = "the image's default"
    driver = driver or _variable(service, *product.driver_variables) or _Setting("sqlite3", said)
    return _setting(service, driver, _Setting(product.default_database, said), _Setting(product.default_schema, said))


def _setting(service: Service, driver: _Setting, path: _Setting, name: _Setting | None) -> DatabaseSetting:
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
    schema = name.value if name else databaseurl.schema_of(path.value, where=f"service {service.name}, {path.said}")
    return DatabaseSetting("mysql" if kind == "mysql" else "postgresql", _origins(driver, place), schema=schema)


def _sqlite_setting(service: Service, driver: _Setting, path: _Setting) -> DatabaseSetting:
    if path.value == databaseurl.MEMORY:
        return DatabaseSetting("memory", f"from {path.said}")
    if "://" in path.value or "\0" in path.value:
        raise ConfigurationError(
            f"service {service.name}: the driver is sqlite3 ({driver.said}), "
            f"but the path ({path.said}) is not that of a file",
            hint=f"make driver and path agree, {_HINT_SOURCES}",
        )
    return DatabaseSetting("sqlite", _origins(driver, path), path=paths.normal(path.value, base=_base(service)))


class _Toml:
    """Strings in a parsed TOML document, by the keys that lead to them."""

    def __init__(self, document: Mapping[str, Any], where: str) -> None:
        self._document = document
        self._where = where

    def get(self, *keys: str) -> _Setting | None:
        value: Any = self._document
        for key in keys:
            if not isinstance(value, dict):
                raise ConfigurationError(f"{self._where}: {'.'.join(keys)}: {key} is not in a table")
            value = value.get(key)
            if value is None:
                return None
        *tables, last = keys
        table = f"[{'.'.join(tables)}] " if tables else ""
        if not isinstance(value, str):
            raise ConfigurationError(f"{self._where}: {table}{last} is not a string")
        return _Setting(value, f"{table}{last} in {posixpath.basename(self._where)}")


def _variable(service: Service, *names: str) -> _Setting | None:
    """Return the first of these variables that is set and not empty."""
    for name in names:
        variable = service.variables.get(name)
        if variable and variable.value:
            return _Setting(variable.value, f"{name} in {variable.origin}")
    return None


def _override(service: Service, name: str) -> _Setting | None:
    """Return an override; the programs take off one pair of double quotes, as around a TOML string."""
    found = _variable(service, name)
    if found and len(found.value) > 1 and found.value[0] == found.value[-1] == '"':
        return _Setting(found.value[1:-1], found.said)
    return found


def _base(service: Service) -> str:
    return paths.normal(service.working_dir) if service.working_dir else _WORKING_DIRECTORY


def _origins(driver: _Setting, path: _Setting) -> str:
    if driver.said == path.said:
        return f"from {path.said}"
    return f"driver from {driver.said}, path from {path.said}"
