"""A stack does not leave while somebody is still connected to its schema."""

from __future__ import annotations

import pytest

from support.database_servers import Server
from support.mysql_program import held
from support.mysql_restore import Backed
from tracker_backup.config.load import load_config
from tracker_backup.errors import RestoreError
from tracker_backup.moving.strangers import refuse_strangers
from tracker_backup.run.resolve import resolve_sources
from tracker_backup.system import process


def test_who_is_connected_is_named_and_who_is_elsewhere_is_not(
    plain: Backed, mysql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    mysql.sql(f"GRANT PROCESS ON *.* TO `{plain.user}`@`%`")
    monkeypatch.setattr(process, "SYSTEM_PATH", f"{plain.program.programs}:{process.SYSTEM_PATH}")
    sources = resolve_sources(load_config(plain.program.config_directory / "default.yml")).sources

    with (
        held(mysql, "DO 0", plain.schema),
        pytest.raises(RestoreError, match=f"connection of root@localhost.* has schema {plain.schema} of "),
    ):
        refuse_strangers(sources)

    with held(mysql, "DO 0", "mysql"):
        refuse_strangers(sources)
