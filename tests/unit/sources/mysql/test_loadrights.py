"""Which rights a load lacks, told as statements."""

from __future__ import annotations

from typing import Any

import pytest

from tracker_backup.sources.mysql.facts import Identity
from tracker_backup.sources.mysql.loadrights import Needs, missing_to_load

MYSQL = Identity("MySQL", "8.4.3", "t@%")
MARIADB = Identity("MariaDB", "10.11.19-MariaDB", "t@%")
ALL = "GRANT ALL PRIVILEGES ON `copy`.* TO `t`@`%`"
DEFINER = Needs(("copy",), frozenset({"view"}), frozenset({("root", "localhost")}))


class Fake:
    """A connection that answers as a server would."""

    def __init__(self, *grants: str, log: tuple[str, str] = ("0", "0")) -> None:
        self.grants, self.log = grants, log

    def query(self, *statements: str) -> list[list[tuple[str, ...]]]:
        if statements[0] == "SELECT CURRENT_ROLE()":
            return [[("NONE",)]]
        return [[(grant,) for grant in self.grants], [self.log]]


def missing(identity: Identity, needs: Needs, *grants: str, log: tuple[str, str] = ("0", "0")) -> list[str]:
    connection: Any = Fake(*grants, log=log)
    return missing_to_load(connection, identity, needs)


def test_all_rights_in_the_schema_are_enough_for_tables_and_own_objects() -> None:
    own = Needs(("copy",), frozenset({"view", "event", "procedure"}), frozenset({("t", "%")}))
    assert missing(MYSQL, own, ALL) == []
    assert missing(MYSQL, Needs(("copy",)), "GRANT ALL PRIVILEGES ON *.* TO `t`@`%`") == []


def test_what_is_missing_in_which_schema() -> None:
    found = missing(MYSQL, Needs(("copy", "other"), frozenset({"view"})), ALL, "GRANT SELECT ON `other`.* TO `t`@`%`")
    assert found == [
        "GRANT INSERT, CREATE, DROP, ALTER, REFERENCES, LOCK TABLES, CREATE VIEW, SHOW VIEW ON `other`.* TO `t`@`%`;"
    ]


@pytest.mark.parametrize(
    ("identity", "privilege"),
    [
        (MYSQL, "SET_ANY_DEFINER"),
        (Identity("MySQL", "8.0.40", "t@%"), "SET_USER_ID"),
        (MARIADB, "SET USER"),
        (Identity("MariaDB", "10.4.1-MariaDB", "t@%"), "SUPER"),
    ],
)
def test_objects_of_others_take_a_right_of_their_own(identity: Identity, privilege: str) -> None:
    assert missing(identity, DEFINER, ALL) == [f"GRANT {privilege} ON *.* TO `t`@`%`;"]
    assert missing(identity, DEFINER, ALL, f"GRANT {privilege} ON *.* TO `t`@`%`") == []
    assert missing(identity, DEFINER, "GRANT ALL PRIVILEGES ON *.* TO `t`@`%` WITH GRANT OPTION") == []


def test_the_binary_log_asks_for_more_where_there_are_triggers() -> None:
    triggers = Needs(("copy",), frozenset({"trigger"}))
    assert missing(MYSQL, triggers, ALL, log=("1", "0")) == ["SET GLOBAL log_bin_trust_function_creators = 1;"]
    assert missing(MYSQL, triggers, ALL, log=("1", "1")) == []
    assert missing(MYSQL, Needs(("copy",)), ALL, log=("1", "0")) == []
    assert missing(MYSQL, triggers, ALL, "GRANT SUPER ON *.* TO `t`@`%`", log=("1", "0")) == []
