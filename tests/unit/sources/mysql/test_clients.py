"""Clients are known by what they say of themselves."""

from __future__ import annotations

import pytest

from tracker_backup.sources.mysql.clients import client_of, pairs, parse_answers, version_numbers


@pytest.mark.parametrize(
    ("said", "flavour", "version"),
    [
        ("mysqldump  Ver 9.7.4-2 for Linux on x86_64 ((Debian))", "MySQL", "9.7.4"),
        ("mysqldump  Ver 10.13 Distrib 5.7.44, for Linux (x86_64)", "MySQL", "5.7.44"),
        ("mysqldump  Ver 10.19 Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)", "MariaDB", "10.11.19"),
        ("mariadb-dump from 11.8.3-MariaDB, client 10.19 for debian-linux-gnu (x86_64)", "MariaDB", "11.8.3"),
        ("nonsense", "MySQL", "of unknown version"),
    ],
)
def test_flavour_and_version(said: str, flavour: str, version: str) -> None:
    client = client_of("mysqldump", "/usr/bin/mysqldump", said, "")

    assert (client.flavour, client.version) == (flavour, version)


def test_options_are_those_that_help_names() -> None:
    told = "  -y, --no-tablespaces \n  --set-gtid-purged[=name]\n  (use --skip-masking-policies to disable)\n"

    assert client_of("x", "/x", "", told).options >= {"no-tablespaces", "set-gtid-purged", "skip-masking-policies"}


def answers(*programs: tuple[str, str]) -> str:
    return "noise\n" + "".join(
        f"tracker-backup-client {name} /usr/bin/{name}\n{said}\n  --help me\n" for name, said in programs
    )


MARIA, MY = "Ver 10.19 Distrib 10.11.19-MariaDB", "Ver 9.7.4 for Linux"


def test_a_container_s_programs_are_paired_by_flavour() -> None:
    told = answers(("mysqldump", MY), ("mariadb-dump", MARIA), ("mysql", MY), ("mariadb", MARIA))
    found = {pair.flavour: (pair.dump.path, pair.query.path) for pair in pairs(parse_answers(told))}

    assert found == {
        "MySQL": ("/usr/bin/mysqldump", "/usr/bin/mysql"),
        "MariaDB": ("/usr/bin/mariadb-dump", "/usr/bin/mariadb"),
    }


def test_of_two_names_for_one_the_flavour_s_own_is_taken() -> None:
    """MariaDB's mysqldump says on every run that its name is deprecated."""
    told = answers(("mysqldump", MARIA), ("mariadb-dump", MARIA), ("mysql", MARIA), ("mariadb", MARIA))

    assert [pair.dump.name for pair in pairs(parse_answers(told))] == ["mariadb-dump"]


def test_a_client_that_only_dumps_is_none() -> None:
    assert pairs(parse_answers(answers(("mysqldump", MY), ("mariadb", MARIA)))) == ()


def test_versions_compare_as_numbers() -> None:
    assert version_numbers("10.11.19-MariaDB") > version_numbers("9.7.4-2") > version_numbers("unknown") == ()
