"""What belongs to a stack, what stays out, and the reason for it: pure functions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tracker_backup.inplace.places import temporary_name
from tracker_backup.sources.files.selection import (
    COVERED,
    DEVICE,
    DIRECTORY,
    FIFO,
    FILE,
    LISTED,
    PATTERN,
    SOCKET,
    SYMLINK,
    Entry,
    Facts,
    MountFact,
    reason_to_empty,
    reason_to_leave,
    select,
    writer_of,
)

STACK = "/opt/torrust"
FACTS = Facts(stack=STACK)


def mount(
    path: str, target: str, *, service: str = "tracker", volume: str | None = None, ro: bool = False
) -> MountFact:
    return MountFact(path, path, target, service, volume, ro)


def mounted(*mounts: MountFact, **changes: object) -> Facts:
    return replace(FACTS, mounts=mounts, **changes)  # type: ignore[arg-type]


def left(facts: Facts, path: str, kind: str = FILE, *, beside: tuple[str, ...] = ()) -> tuple[str, str] | None:
    """Return reason and rule for leaving something out altogether."""
    found = reason_to_leave(select(facts), Entry(path, kind, beside=frozenset(beside)))
    return None if found is None else (found.reason, found.rule)


def emptied(facts: Facts, path: str, *names: str, beside: tuple[str, ...] = ()) -> tuple[str, str] | None:
    """Return reason and rule for storing a directory without what is in it."""
    found = reason_to_empty(select(facts), Entry(path, DIRECTORY, frozenset(names), frozenset(beside)))
    return None if found is None else (found.reason, found.rule)


class TestRoots:
    """Directories and files that are taken."""

    def test_the_stack_and_what_lies_elsewhere(self) -> None:
        facts = mounted(
            mount(f"{STACK}/storage/tracker/lib", "/var/lib/torrust/tracker"),
            mount("/srv/certificates", "/certificates", service="proxy", ro=True),
            mount("/var/lib/docker/volumes/torrust_grafana/_data", "/var/lib/grafana", volume="grafana"),
            single={"/etc/tracker-backup/default.yml": "our own configuration", f"{STACK}/compose.yml": "Compose"},
            extra=("/etc/letsencrypt",),
        )

        scope = select(facts)

        assert [(root.path, root.why) for root in scope.roots] == [
            (STACK, "the stack's directory"),
            ("/etc/letsencrypt", "named in files.extra_paths"),
            ("/srv/certificates", "mounted at /certificates by service proxy"),
            (
                "/var/lib/docker/volumes/torrust_grafana/_data",
                "volume grafana at /var/lib/grafana by service tracker",
            ),
            ("/etc/tracker-backup/default.yml", "our own configuration"),
        ]
        assert scope.left == ()

    def test_what_two_services_see_is_taken_once(self) -> None:
        twice = mounted(mount("/srv/shared", "/a"), mount("/srv/shared", "/b"), mount("/srv/shared/deep", "/c"))

        scope = select(twice)

        assert [root.path for root in scope.roots] == [STACK, "/srv/shared"]
        assert {item.rule for item in scope.left} == {COVERED}

    @pytest.mark.parametrize(
        "path",
        [
            "/", "/proc", "/sys/fs/cgroup", "/dev", "/run/docker.sock", "/var/run/docker.sock", "/var/lib/docker",
            "/var/lib/docker/containers", "/etc/localtime", "/etc/passwd", "/usr/share/zoneinfo/UTC", "/var/log",
            "/home", "/etc", "/etc/ssl/certs", "/lib/modules",
        ],
    )  # fmt: skip
    def test_the_system_is_no_part_of_a_stack(self, path: str) -> None:
        scope = select(mounted(mount(path, "/host")))

        assert [root.path for root in scope.roots] == [STACK]
        assert [(item.path, item.rule) for item in scope.left] == [(path, LISTED)]
        assert "files.extra_paths" in scope.left[0].reason

    @pytest.mark.parametrize(
        "path", ["/home/ops/config", "/etc/letsencrypt", "/usr/local/etc/proxy", "/srv/data", "/data", "/opt/other"]
    )
    def test_what_a_person_put_beside_it_is(self, path: str) -> None:
        assert [root.path for root in select(mounted(mount(path, "/x"))).roots] == [STACK, path]

    def test_a_link_to_the_system_is_the_system(self) -> None:
        time = MountFact("/srv/zone", "/etc/localtime", "/etc/localtime", "proxy")

        assert [root.path for root in select(mounted(time)).roots] == [STACK]

    def test_a_volume_that_cannot_be_reached_is_told(self) -> None:
        [item] = select(replace(FACTS, unreached={"volume grafana": "it is a tmpfs"})).left

        assert (item.path, item.reason, item.rule) == ("volume grafana", "it is a tmpfs", LISTED)

    def test_who_wants_it_gets_it(self) -> None:
        facts = mounted(mount("/etc/ssl/certs", "/certs"), extra=("/etc/ssl/certs",))

        assert [root.path for root in select(facts).roots] == [STACK, "/etc/ssl/certs"]


class TestLeaving:
    """Single things that stay out."""

    @pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal", "-mj96A7EA93B"])
    def test_databases_of_other_sources(self, suffix: str) -> None:
        facts = replace(FACTS, databases={f"{STACK}/tracker.db": "tracker"})

        assert left(facts, f"{STACK}/tracker.db{suffix}") == ("source tracker takes it", LISTED)
        assert left(facts, f"{STACK}/tracker.db.old{suffix}") is None

    @pytest.mark.parametrize(
        "name",
        [
            "a.log",
            "A.LOG",
            "a.log.1",
            "a.log.12.gz",
            "a.log-20261123.zst",
            "a.log.2026-11-23",
            "a.log.gz",
            ".log",
            "a\nb.log",
        ],
    )
    def test_logs(self, name: str) -> None:
        assert left(FACTS, f"{STACK}/{name}") == ("a log", PATTERN)

    @pytest.mark.parametrize("name", ["log.txt", "blog", "a.log.yml", "a.logs", "changelog", "a.log.old", "login"])
    def test_what_is_no_log(self, name: str) -> None:
        assert left(FACTS, f"{STACK}/{name}") is None

    def test_the_newest_records_of_a_store_are_no_log(self) -> None:
        assert left(FACTS, f"{STACK}/db/000012.log", beside=("CURRENT", "MANIFEST-000011")) is None

    def test_a_directory_or_link_of_such_a_name_is_no_log(self) -> None:
        assert left(FACTS, f"{STACK}/a.log", DIRECTORY) is None
        assert left(FACTS, f"{STACK}/a.log", SYMLINK) is None

    @pytest.mark.parametrize("kind", [SOCKET, FIFO, DEVICE])
    def test_what_is_no_file(self, kind: str) -> None:
        assert left(FACTS, f"{STACK}/x", kind) == (f"a {kind}", PATTERN)

    def test_what_a_restore_in_place_has_replaced(self) -> None:
        reason = ("what a restore in place has replaced, or is about to put there", PATTERN)
        assert left(FACTS, f"{STACK}/data/pre-restore-20261123T030000Z-daily-2", DIRECTORY) == reason
        assert left(FACTS, f"{STACK}/data/.tracker.db.restoring-20261123T030000Z-daily") == reason
        assert left(FACTS, f"{STACK}/data/{temporary_name('20261123T030000Z-daily')}") == reason
        assert left(FACTS, f"{STACK}/data/pre-restore-notes") is None

    def test_what_an_older_backup_has_left(self) -> None:
        assert left(FACTS, f"{STACK}/storage/backup/daily", DIRECTORY) == ("what an older backup has left", LISTED)
        assert left(FACTS, f"{STACK}/storage/backup/etc", DIRECTORY) is None
        assert left(FACTS, f"{STACK}/storage/backup", DIRECTORY) is None
        assert left(FACTS, f"{STACK}/backup/daily", DIRECTORY) is None

    @pytest.mark.parametrize(
        ("pattern", "path"),
        [
            ("*.iso", f"{STACK}/a/b/c.iso"),
            ("cache", f"{STACK}/deep/cache"),
            (f"{STACK}/storage/x", f"{STACK}/storage/x"),
            (f"{STACK}/storage/x/", f"{STACK}/storage/x"),
            ("storage/x", f"{STACK}/storage/x"),
            ("storage/*/tmp", f"{STACK}/storage/tracker/tmp"),
            ("/srv/[ab]", "/srv/b"),
        ],
    )
    def test_what_a_person_excludes(self, pattern: str, path: str) -> None:
        facts = replace(FACTS, exclude=(pattern,), extra=("/srv",))

        assert left(facts, path) == (f"files.exclude names {pattern}", LISTED)
        assert left(facts, f"{path}.other") is None

    def test_what_a_person_adds_is_taken_whatever_its_name(self) -> None:
        facts = replace(FACTS, extra=(f"{STACK}/keep",), databases={f"{STACK}/keep/tracker.db": "tracker"})

        assert left(facts, f"{STACK}/keep/precious.log") is None
        assert emptied(facts, f"{STACK}/keep/data", "ibdata1") is None
        assert left(facts, f"{STACK}/keep/tracker.db") is not None


class TestEmptying:
    """Directories of which only themselves are taken."""

    @pytest.mark.parametrize(
        ("names", "word"),
        [
            (("ibdata1", "mysql"), "MySQL or MariaDB"),
            (("aria_log_control",), "MySQL or MariaDB"),
            (("PG_VERSION", "base", "global", "pg_wal"), "PostgreSQL"),
            (("chunks_head", "wal", "lock"), "time series"),
            (("wal", "01H2XCEJQTQVGSRFPA2QKD1E2M"), "time series"),
        ],
    )
    def test_by_what_lies_in_it(self, names: tuple[str, ...], word: str) -> None:
        reason, rule = emptied(FACTS, f"{STACK}/data", *names) or ("", "")

        assert word in reason
        assert rule == PATTERN

    @pytest.mark.parametrize(
        ("target", "word"),
        [
            ("/var/lib/mysql", "MySQL"),
            ("/bitnami/mariadb", "MariaDB"),
            ("/var/lib/postgresql/data", "PostgreSQL"),
            ("/var/lib/postgresql", "PostgreSQL"),
            ("/prometheus", "time series"),
        ],
    )
    def test_by_where_a_service_sees_it(self, target: str, word: str) -> None:
        reason, rule = emptied(mounted(mount(f"{STACK}/data", target)), f"{STACK}/data", "whatever") or ("", "")

        assert word in reason
        assert rule == LISTED

    @pytest.mark.parametrize("name", ["log", "logs"])
    def test_logs_are_what_a_service_writes(self, name: str) -> None:
        written = mounted(mount(f"{STACK}/storage/tracker", "/var/lib/torrust"))

        assert emptied(written, f"{STACK}/storage/tracker/{name}", "x") == ("logs that a service writes", PATTERN)
        assert emptied(FACTS, f"{STACK}/{name}", "x") is None
        assert emptied(mounted(mount(f"{STACK}/a", "/a", ro=True)), f"{STACK}/a/{name}", "x") is None

    def test_mounting_the_whole_stack_makes_no_logs(self) -> None:
        assert emptied(mounted(mount(STACK, "/app")), f"{STACK}/src/log", "index.js") is None

    def test_what_a_service_sees_as_the_logs_of_its_system_are_logs(self) -> None:
        facts = mounted(mount(f"{STACK}/output", "/var/log/proxy"))

        assert emptied(facts, f"{STACK}/output", "access") == ("logs that a service writes", PATTERN)

    def test_objects_of_git(self) -> None:
        beside = ("HEAD", "refs", "objects", "config")

        assert "git" in (emptied(FACTS, f"{STACK}/.git/objects", "ab", beside=beside) or ("", ""))[0]
        assert emptied(FACTS, f"{STACK}/storage/objects", "ab", beside=beside) is None
        assert emptied(FACTS, f"{STACK}/.git/logs", "HEAD", beside=beside) is None

    def test_our_own_places(self) -> None:
        facts = replace(FACTS, own={f"{STACK}/backups": "our own repository"}, extra=(STACK,))

        assert emptied(facts, f"{STACK}/backups", "x") == ("our own repository", LISTED)


def test_the_service_that_writes_to_a_file_is_the_nearest() -> None:
    facts = mounted(
        mount(STACK, "/everything", service="backup"),
        mount(f"{STACK}/grafana", "/var/lib/grafana", service="grafana"),
        mount(f"{STACK}/grafana/deep", "/deep", service="reader", ro=True),
    )

    found = writer_of(select(facts), f"{STACK}/grafana/deep/grafana.db")

    assert found is not None
    assert found.service == "grafana"
    assert writer_of(select(facts), "/elsewhere") is None
