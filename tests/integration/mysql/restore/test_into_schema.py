"""restore --into: a backup in a schema beside the live one; as whom, what it takes, and what is left when it fails."""

from __future__ import annotations

from support.mysql_restore import Backed, contents, objects, schemas
from tracker_backup.sources.mysql.inventory import differences


def test_everything_comes_back(backed: Backed) -> None:
    before = contents(backed.server, backed.schema)
    done = backed.into("looked_at", *backed.as_admin())

    try:
        assert done.returncode == 0, done.stderr
        assert contents(backed.server, "looked_at") == before
        live, loaded = objects(backed.server, backed.schema), objects(backed.server, "looked_at")
        assert differences(live, loaded) == []
        [[status]] = backed.server.sql("SELECT STATUS FROM information_schema.EVENTS WHERE EVENT_SCHEMA = 'looked_at'")
        assert status == "DISABLED"
        assert backed.server.sql("SELECT * FROM looked_at.a_needs_b ORDER BY id") == [["1", "1"], ["2", "3"]]
        assert contents(backed.server, backed.schema) == before
        assert "DROP DATABASE `looked_at`" in done.stdout
    finally:
        backed.server.sql("DROP DATABASE IF EXISTS looked_at")
