"""What else the program relies on in a manifest: what a driver has noted of its source, under `engine`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracker_backup.system.records import made


@dataclass(frozen=True)
class _Engine:
    name: str = ""
    server: str | None = None
    charset: str | None = None
    collation: str | None = None
    bytes: int = 0
    rows: Mapping[str, int] | None = None
    objects: Mapping[str, int] | None = None
    trial: Mapping[str, Any] | None = None
    members: int | None = None
    names_sha256: str | None = None
    databases: list[Mapping[str, Any]] = ()  # type: ignore[assignment]  # as JSON has it; nothing is made of the default
    left_out: list[Mapping[str, Any]] = ()  # type: ignore[assignment]  # as above


@dataclass(frozen=True)
class _Database:
    path: str
    check: str
    messages: list[str]


@dataclass(frozen=True)
class _Trial:
    schema: str
    create: str
    image: str | None
    settings: list[str]
    sums: Mapping[str, Any] | None = None


def require_facts(engine: Mapping[str, Any]) -> None:
    """Raise TypeError where a fact is not of the type that whoever uses it expects."""
    made(_Engine, engine)
    for database in engine.get("databases", ()):
        made(_Database, database)
    trial = engine.get("trial")
    if trial and "schema" in trial:
        made(_Trial, trial)
