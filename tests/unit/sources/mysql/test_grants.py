"""Which rights are missing for a complete dump, told as the statements to run."""

from __future__ import annotations

import pytest

from tracker_backup.sources.mysql.facts import Facts, Identity
from tracker_backup.sources.mysql.grants import missing

LEAST = "GRANT SELECT, SHOW VIEW, EVENT, TRIGGER ON `torrust\\_tracker`.* TO `b`@`%`"
MYSQL = Identity("MySQL", "9.7.4-2", "b@%")
OLD_MYSQL = Identity("MySQL", "8.0.19", "b@%")
MARIADB = Identity("MariaDB", "10.11.19-MariaDB", "b@%")
NEW_MARIADB = Identity("MariaDB", "11.8.3-MariaDB", "b@%")


def lacking(identity: Identity, *grants: str, unreadable: tuple[str, ...] = (), locking: bool = False) -> list[str]:
    lines = ("GRANT USAGE ON *.* TO `b`@`%` IDENTIFIED BY PASSWORD '*X'", *grants)
    facts = Facts(identity, lines, (), {}, unreadable, (), (), "")
    return missing(facts, "torrust_tracker", locking=locking)


@pytest.mark.parametrize(
    ("identity", "grants"),
    [
        (MYSQL, [LEAST, "GRANT SHOW_ROUTINE ON *.* TO `b`@`%`"]),
        (MYSQL, ["GRANT SELECT, SHOW VIEW, EVENT, TRIGGER, PROCESS ON *.* TO `b`@`%`"]),
        (MYSQL, ["GRANT ALL PRIVILEGES ON `torrust_tracker`.* TO `b`@`%`"]),
        (MYSQL, ["GRANT ALL PRIVILEGES ON `torrust%`.* TO `b`@`%`"]),
        (MYSQL, [LEAST, "GRANT EXECUTE ON `torrust\\_tracker`.* TO `b`@`%`"]),
        (
            MYSQL,
            ["GRANT ALL PRIVILEGES ON `torrust\\_tracker`.* TO `b`@`%`", "GRANT SELECT ON `torrust%`.* TO `b`@`%`"],
        ),
        (OLD_MYSQL, [LEAST, "GRANT SELECT ON *.* TO `b`@`%`"]),
        (MARIADB, [LEAST, "GRANT SELECT ON `mysql`.`proc` TO `b`@`%`"]),
        (MARIADB, [LEAST, "GRANT SELECT ON `mysql`.* TO `b`@`%`"]),
        (MARIADB, ["GRANT ALL PRIVILEGES ON *.* TO `b`@`%` WITH GRANT OPTION"]),
        (NEW_MARIADB, [LEAST, "GRANT SHOW CREATE ROUTINE ON `torrust\\_tracker`.* TO `b`@`%`"]),
    ],
)
def test_what_is_enough(identity: Identity, grants: list[str]) -> None:
    assert lacking(identity, *grants) == []


@pytest.mark.parametrize(
    ("identity", "statement"),
    [
        (MYSQL, "GRANT SHOW_ROUTINE ON *.* TO `b`@`%`;"),
        (OLD_MYSQL, "GRANT SELECT ON *.* TO `b`@`%`;"),
        (MARIADB, "GRANT SELECT ON `mysql`.`proc` TO `b`@`%`;"),
        (NEW_MARIADB, "GRANT SHOW CREATE ROUTINE ON `torrust\\_tracker`.* TO `b`@`%`;"),
    ],
)
def test_routines_need_a_right_of_their_own(identity: Identity, statement: str) -> None:
    assert lacking(identity, LEAST) == [statement]


@pytest.mark.parametrize("identity", [MYSQL, MARIADB])
def test_somebody_else_s_routine_needs_it_even_with_all_rights_in_the_schema(identity: Identity) -> None:
    everything = "GRANT ALL PRIVILEGES ON `torrust_tracker`.* TO `b`@`%`"

    assert len(lacking(identity, everything, unreadable=("procedure p",))) == 1


@pytest.mark.parametrize(
    "grants",
    [
        ["GRANT SELECT ON `torrust_tracker`.`torrents` TO `b`@`%`"],
        ["GRANT SELECT (`a`), SHOW VIEW ON `torrust_tracker`.`torrents` TO `b`@`%`"],
        ["GRANT ALL PRIVILEGES ON `other`.* TO `b`@`%`"],
        ["GRANT ALL PRIVILEGES ON `torrust\\_`.* TO `b`@`%`"],
        ["GRANT EXECUTE ON PROCEDURE `torrust_tracker`.`p` TO `b`@`%`", "GRANT `role`@`%` TO `b`@`%`"],
        [],
    ],
)
def test_rights_in_some_tables_or_other_schemas_are_none(grants: list[str]) -> None:
    assert lacking(MYSQL, *grants) == [
        "GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `torrust_tracker`.* TO `b`@`%`;",
        "GRANT SHOW_ROUTINE ON *.* TO `b`@`%`;",
    ]


# Where both hold wildcards, MySQL and MariaDB do not take the same one.
@pytest.mark.parametrize(("name", "asked"), [("torrust\\_tracker", 1), ("torrust_tracker", 2)])
def test_of_grants_on_several_names_that_fit_a_server_takes_one_only(name: str, asked: int) -> None:
    some = f"GRANT SELECT, SHOW VIEW, EVENT ON `{name}`.* TO `b`@`%`"
    everything = "GRANT ALL PRIVILEGES ON `torrust%`.* TO `b`@`%`"

    said = lacking(MYSQL, some, everything, "GRANT SHOW_ROUTINE ON *.* TO `b`@`%`")
    assert said == [f"GRANT TRIGGER ON `{each}`.* TO `b`@`%`;" for each in (name, "torrust%")][:asked]


def test_only_what_is_missing_is_asked_for() -> None:
    some = "GRANT SELECT, SHOW VIEW, EVENT ON `torrust_tracker`.* TO `b`@`%`"

    assert lacking(MYSQL, some, "GRANT SHOW_ROUTINE ON *.* TO `b`@`%`") == [
        "GRANT TRIGGER ON `torrust_tracker`.* TO `b`@`%`;"
    ]


def test_a_partial_revoke_takes_a_global_right_away() -> None:
    everywhere = "GRANT SELECT, SHOW VIEW, EVENT, TRIGGER ON *.* TO `b`@`%`"
    revoked = "REVOKE SELECT ON `torrust_tracker`.* FROM `b`@`%`"

    assert lacking(MYSQL, everywhere, revoked) == ["GRANT SELECT ON `torrust_tracker`.* TO `b`@`%`;"]


def test_locking_needs_one_more() -> None:
    granted = (LEAST, "GRANT SHOW_ROUTINE ON *.* TO `b`@`%`")

    assert lacking(MYSQL, *granted, locking=True) == ["GRANT LOCK TABLES ON `torrust\\_tracker`.* TO `b`@`%`;"]


def test_names_are_quoted() -> None:
    facts = Facts(Identity("MySQL", "9.7.4", "a`b@10.0.0.%"), (), (), {}, (), (), (), "")

    assert missing(facts, "we`ird")[0].endswith("ON `we``ird`.* TO `a``b`@`10.0.0.%`;")
