"""A stack as the tracker's deployer makes it: a server in a container that publishes nothing, a URL with a password."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from support.database_containers import DatabaseContainer

COMPOSE = """
services:
  tracker:
    image: torrust/tracker:develop
    environment:
      - TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__DRIVER=${DB_DRIVER}
      - TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__PATH=${DB_URL}
    volumes: ["./storage/tracker/etc:/etc/torrust/tracker"]
  mysql:
    image: mysql:8.4
    networks: [database]
networks:
  database: {internal: true}
"""
SCHEMA, USER = "torrust_tracker", "tracker_user"


def write_stack(directory: Path, password: str) -> Path:
    """Write the stack's own files."""
    (directory / "storage/tracker/etc").mkdir(parents=True)
    (directory / "storage/tracker/etc/tracker.toml").write_text("[core]\n")
    (directory / "compose.yaml").write_text(COMPOSE)
    url = f"mysql://{USER}:{quote(password, safe='')}@mysql:3306/{SCHEMA}"
    (directory / ".env").write_text(f"DB_DRIVER='mysql'\nDB_URL='{url}'\n")
    return directory


def database_of(flavour: str, stack: Path, password: str, *, name: str, network: bool = False) -> DatabaseContainer:
    """Describe the stack's database container, with the user that its image would make."""
    made = DatabaseContainer(flavour, stack, name, network=network)
    made.environment = {"MYSQL_DATABASE": SCHEMA, "MYSQL_USER": USER, "MYSQL_PASSWORD": password}
    return made
