"""Know a Torrust tracker or index among a project's services, and where its configuration is."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field

from tracker_backup.compose import paths
from tracker_backup.compose.model import Service

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
    """A service that is a `product`; not `certain` when only an env_file, which others may share, says so.

    `by_image` tells that its image does, so that no other service is more likely the one that writes.
    """

    product: Product
    certain: bool
    by_image: bool = False


@dataclass(frozen=True)
class Reference:
    """Where a service's configuration is: its text `inline`, or the path of a file in the container; `said` by what."""

    path: str
    said: str
    inline: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Setting:
    """The value of a setting and what said it, for explanations; the value may be a secret and stays out of reprs."""

    value: str = field(repr=False)
    said: str


def recognise(service: Service) -> Recognised | None:
    """Return which product the service runs, by its image, its mounts or its variables; None for all other services."""
    for product in _PRODUCTS:
        if service.image and product.image.search(service.image):
            return Recognised(product, certain=True, by_image=True)
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
    inline = setting_of(service, *product.inline_variables)
    if inline:
        return Reference(product.default_toml, inline.said, inline.value)
    path = setting_of(service, *product.path_variables)
    if path:
        return Reference(paths.normal(path.value, base=working_directory(service)), path.said)
    return Reference(product.default_toml, f"the default place, {product.path_variables[0]} is not set")


def setting_of(service: Service, *names: str) -> Setting | None:
    """Return the first of these variables that is set and not empty."""
    for name in names:
        variable = service.variables.get(name)
        if variable and variable.value:
            return Setting(variable.value, f"{name} in {variable.origin}")
    return None


def working_directory(service: Service) -> str:
    """Return the directory that relative paths of the service's program are taken from."""
    return paths.normal(service.working_dir) if service.working_dir else _WORKING_DIRECTORY
