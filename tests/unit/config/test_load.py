"""What a configuration may say, and how it is told what is wrong with it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from tracker_backup.config.load import find_config, load_config
from tracker_backup.config.model import Config, Keep
from tracker_backup.errors import ConfigurationError, PrivilegeError, UsageError

CANARY = "https://ping.invalid/5ec2e7-canary"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root is picky about who may change a file")


def written(directory: Path, text: str | bytes, name: str = "default.yml") -> Path:
    file = directory / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(0o600)
    return file


def load(directory: Path, **changes: Any) -> Config:
    document = {"stack": "/opt/torrust", "repository": "/var/backups/tracker", **changes}
    return load_config(written(directory, yaml.safe_dump(document)))


def refused(directory: Path, **changes: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(directory, **changes)
    return str(caught.value)


def test_all_errors_are_told_at_once_with_their_paths(tmp_path: Path) -> None:
    told = refused(
        tmp_path,
        stack="opt/torrust",
        jobs=[{"name": "daily", "schedule": "61 3 * * *", "keep": {"daily": 0}}, {"name": "Nightly!", "when": 1}],
        compression_level=77,
        check="sometimes",
        color=True,
    )

    assert f"{tmp_path}/default.yml: 8 errors" in told
    for beginning in (
        "stack: 'opt/torrust' is not an absolute path",
        "jobs[0].keep.daily: 0 is less than 1",
        "jobs[0].schedule: ",
        "jobs[1].name: 'Nightly!' is not a name",
        "jobs[1]: unknown key 'when'; known are keep, name, schedule, sources",
        "compression_level: 77 is more than 19",
        "check: 'sometimes' is none of auto, quick, full, none",
        "the whole file: unknown key 'color'",
    ):
        assert f"\n  {beginning}" in told
    assert told.endswith(f"\n  put that right, then see: tracker-backup --config {tmp_path}/default.yml config check")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"jobs": "daily"}, "jobs: 'daily' is not a list"),
        ({"jobs": []}, "jobs: the list needs an item at least"),
        ({"jobs": [{"name": "daily"}, {"name": "daily"}]}, "jobs: the name 'daily' is used 2 times"),
        ({"jobs": [{"name": "manual"}]}, "jobs[0].name: 'manual' is taken by the program itself"),
        ({"jobs": [{"name": "-x"}]}, "jobs[0].name: '-x' is not a name"),
        ({"jobs": [{"name": "x" * 33}]}, "jobs[0].name: "),
        ({"jobs": [{"name": "daily\n"}]}, "jobs[0].name: "),
        ({"jobs": [{"name": "daily\n\n"}]}, "jobs[0].name: "),
        ({"jobs": [{"name": False}]}, "jobs[0].name: False is not text; quotes make it text"),
        ({"jobs": [{"schedule": "0 3 * * *"}]}, "jobs[0]: missing: name"),
        ({"jobs": [{"name": "a", "schedule": "0 3 * *"}]}, "jobs[0].schedule: it has 4 fields"),
        (
            {"jobs": [{"name": "a", "schedule": "0 3 31 2 *"}]},
            "jobs[0].schedule: no calendar has such a day",
        ),
        ({"jobs": [{"name": "a", "schedule": "0 3 * * *\n* * * * * x"}]}, "jobs[0].schedule: "),
        ({"jobs": [{"name": "a", "schedule": ""}]}, "jobs[0].schedule: '' is empty"),
        ({"jobs": [{"name": "a", "schedule": 3}]}, "jobs[0].schedule: 3 is not text"),
        ({"jobs": [{"name": "a", "keep": {}}]}, "jobs[0].keep: the mapping needs a key at least"),
        ({"jobs": [{"name": "a", "keep": {"last": 1.5}}]}, "jobs[0].keep.last: 1.5 is not a whole number"),
        ({"jobs": [{"name": "a", "keep": {"last": True}}]}, "jobs[0].keep.last: True is not a whole number"),
        (
            {"jobs": [{"name": "a", "keep": {"decades": 4}}]},
            "jobs[0].keep: unknown key 'decades'; known are daily, hourly, last, monthly, weekly, yearly",
        ),
        ({"jobs": [{"name": "a", "keep": {"yearly": 0}}]}, "jobs[0].keep.yearly: 0 is less than 1"),
        ({"jobs": [{"name": "a", "sources": ["x", "x"]}]}, "jobs[0].sources: the list holds something twice"),
        ({"sources": [{"name": "files", "type": "sqlite", "path": "/a"}]}, "sources[0].name: 'files' is taken"),
        ({"sources": [{"name": "a", "type": "oracle"}]}, "sources[0].type: 'oracle' is none of sqlite, mysql"),
        ({"sources": [{"name": "a", "type": "sqlite"}]}, "sources[0]: missing: path"),
        ({"sources": [{"name": "a", "type": "mysql"}]}, "sources[0]: missing: schema, user"),
        (
            {"sources": [{"name": "a", "type": "mysql", "schema": "s", "user": "u", "path": "/a"}]},
            "sources[0]: path does not belong to the type mysql",
        ),
        (
            {"sources": [{"name": "a", "type": "sqlite", "path": "/a", "schema": "s", "user": "u"}]},
            "sources[0]: schema, user does not belong to the type sqlite",
        ),
        (
            {"sources": [{"name": "a", "type": "mysql", "schema": "s", "user": "u", "socket": "/s", "port": 1}]},
            "sources[0]: a server is reached by its socket or by host and port, not by both",
        ),
        ({"mysql_reach": "guess"}, "mysql_reach: 'guess' is none of auto, host, exec"),
        ({"mysql_non_transactional": "ignore"}, "mysql_non_transactional: 'ignore' is none of lock, refuse"),
        ({"mysql_max_wait_seconds": 0}, "mysql_max_wait_seconds: 0 is not more than 0"),
        ({"sources": [{"name": "a", "type": "files"}]}, "sources[0].name: 'a' is not files"),
        (
            {"sources": [{"name": "files", "type": "files", "path": "/a"}]},
            "sources[0].path: '/a' does not belong here",
        ),
        ({"files": {"enabled": "no"}}, "files.enabled: 'no' is not true or false"),
        ({"files": {"exclude": ["a\nb"]}}, "files.exclude[0]: 'a\\nb' is not a path or a name without control"),
        ({"files": {"extra_paths": ["etc"]}}, "files.extra_paths[0]: 'etc' is not an absolute path"),
        (
            {"files": {"enabled": False}, "sources": [{"name": "files", "type": "files"}]},
            "files.enabled: it is false, and the source files is named under sources",
        ),
        ({"sources": [{"name": "a", "type": "sqlite", "path": "a.db"}]}, "sources[0].path: 'a.db' is not an absolute"),
        ({"repository": "/opt"}, "repository: the stack's directory lies inside it"),
        ({"repository": "/opt/torrust/../torrust"}, "repository: the stack's directory lies inside it"),
        ({"repository": "/backups\n"}, "repository: '/backups\\n' is not an absolute path without control characters"),
        ({"repository": "/back\x1bups"}, "repository: "),
        ({"repository": None}, "repository: nothing is not text"),
        ({"staging": "/var/backups/tracker"}, "staging: it lies among the backups"),
        ({"staging": "/var/backups/tracker/.quarantine"}, "staging: it lies among the backups"),
        ({"log_file": "backup.log"}, "log_file: 'backup.log' is not an absolute path"),
        ({"max_run_seconds": 0}, "max_run_seconds: 0 is less than 1"),
        ({"max_run_seconds": 10**400}, "max_run_seconds: the value is more than 2678400"),
        ({"max_write_stall_seconds": float("nan")}, "max_write_stall_seconds: not a number that can be reckoned with"),
        ({"max_write_stall_seconds": float("inf")}, "max_write_stall_seconds: inf is more than 3600"),
        ({"max_write_stall_seconds": 0}, "max_write_stall_seconds: 0 is not more than 0"),
        ({"max_pause_seconds": 0}, "max_pause_seconds: 0 is not more than 0"),
        ({"max_pause_seconds": -1}, "max_pause_seconds: -1 is not more than 0"),
        ({"max_pause_seconds": float("inf")}, "max_pause_seconds: inf is more than 3600"),
        ({"max_pause_seconds": float("nan")}, "max_pause_seconds: not a number that can be reckoned with"),
        ({"max_pause_seconds": "2m"}, "max_pause_seconds: '2m' is not a number"),
        ({"sqlite_when_busy": "wait"}, "sqlite_when_busy: 'wait' is none of pause, refuse"),
        ({"sqlite_when_busy": None}, "sqlite_when_busy: nothing is none of pause, refuse"),
        ({"sqlite_journal_mode": "WAL"}, "sqlite_journal_mode: 'WAL' is none of keep, wal"),
        ({"sqlite_journal_mode": "delete"}, "sqlite_journal_mode: 'delete' is none of keep, wal"),
        ({"rate_limit_mib_per_second": "fast"}, "rate_limit_mib_per_second: 'fast' is not a number"),
        ({"ping_url": "ftp://ping.invalid"}, "ping_url: the value is not an http or https address"),
        ({"notifications": {}}, "notifications: missing: urls_file"),
        ({"notifications": {"urls_file": "urls"}}, "notifications.urls_file: the value is not an absolute path"),
        (
            {"notifications": {"urls_file": "/a", "when": "never"}},
            "notifications.when: the value is none of failure, recovery, always",
        ),
        ({"log_format": "xml"}, "log_format: 'xml' is none of text, logfmt, json"),
        ({"schedule": {"mailto": "a b@c"}}, "schedule.mailto: 'a b@c' is not a user or an address"),
        ({"schedule": {"mailto": "root\nPATH=/x"}}, "schedule.mailto: 'root\\nPATH=/x' is not a user or an address"),
        ({"schedule": {"mailto": ""}}, "schedule.mailto: '' is not a user or an address"),
        (
            {"schedule": {"mailto": "root", "target": "crontab"}},
            "schedule.mailto: it goes with the target cron.d only; set MAILTO in the table yourself",
        ),
        ({"schedule": {"target": "systemd"}}, "schedule.target: 'systemd' is not cron.d, crontab, or an absolute path"),
        ({"schedule": {"target": "/a\x7f"}}, "schedule.target: "),
        ({"schedule": {"user": "root x"}}, "schedule.user: 'root x' is not a user's name"),
        ({"schedule": {"command": "tracker-backup"}}, "schedule.command: "),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_refused(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    assert f"  {expected}" in refused(tmp_path, **changes)


def test_a_job_names_sources_that_there_are(tmp_path: Path) -> None:
    sources = [{"name": "tracker", "type": "sqlite", "path": "/a.db"}]

    told = refused(tmp_path, sources=sources, jobs=[{"name": "a", "sources": ["tracker", "index"]}])

    assert "1 error\n  jobs[0].sources: there is no source 'index'" in told


@pytest.mark.parametrize("value", [5, "tracker", [["tracker"]], [{}], None])
def test_nonsense_for_names_of_sources_is_an_error_and_no_crash(tmp_path: Path, value: object) -> None:
    sources = [{"name": ["a"], "type": "sqlite", "path": "/a.db"}]

    assert "jobs[0].sources" in refused(tmp_path, sources=sources, jobs=[{"name": "a", "sources": value}])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the file is empty"),
        ("# nothing\n", "the file is empty"),
        ("- a\n- b\n", "the whole file: the list is not a mapping of keys to values"),
        ("text", "the whole file: 'text' is not a mapping"),
        ("stack: /a\nrepository: [\n", "line 3: not valid YAML: "),
        ("stack: /a\n\trepository: /b\n", "line 2: not valid YAML: "),
        (b"stack: /\xff\nrepository: /b\n", "not valid YAML: invalid leading UTF-8 octet"),
        (b"stack: /a\x07\nrepository: /b\n", "control characters are not allowed"),
        ("stack: /a\nrepository: /b\njobs: []\nstack: /c\n", "line 4: the key is there twice"),
        ("stack: 2026-99-99\n", "a value looks like a number or a date, and is none"),
        ("stack: 0x_\n", "a value looks like a number or a date"),
        ("stack: !!timestamp soon\n", "a value looks like a number or a date"),
        ("stack: !!bool perhaps\n", "a value looks like a number or a date"),
        ("stack: !!python/object/apply:os.system [id]\n", "line 1: not valid YAML: could not determine a constructor"),
        ("stack: &a [*a, *a]\n", "line 1: the value contains itself"),
        ("- " * 5000, "nested too deeply"),
        ("stack: /a\n---\nstack: /b\n", "line 2: not valid YAML: "),
        ("1: 2\n~: 3\n[a]: 4\n", "not valid YAML: found unhashable key"),
        ("1: 2\n~: 3\n", "unknown key 1, nothing; known are"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str | bytes, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_config(written(tmp_path, text))

    assert expected in str(caught.value)
    assert f"{tmp_path}/default.yml" in str(caught.value)


def test_a_file_that_blows_itself_up_is_refused(tmp_path: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{after}: &{after} [{', '.join([f'*{name}'] * 9)}]"
        for name, after in zip("abcdefghi", "bcdefghij", strict=True)
    ]

    with pytest.raises(ConfigurationError, match="stands for more than 10000 values"):
        load_config(written(tmp_path, "\n".join([*lines, "stack: *j"])))


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="larger than"):
        load_config(written(tmp_path, "#" * 2_000_000))


def test_anchors_are_fine_where_they_save_words(tmp_path: Path) -> None:
    text = "stack: /a\nrepository: /b\njobs:\n- {name: a, keep: &k {last: 3}}\n- {name: b, keep: *k}\n"

    assert [job.keep for job in load_config(written(tmp_path, text)).jobs] == [Keep(3), Keep(3)]


@pytest.mark.parametrize(
    "changes",
    [
        {"ping_url": [CANARY]},
        {"ping_url": {"url": CANARY}},
        {"ping_url": f" {CANARY}"},
        {"ping_url": f"{CANARY}\n"},
        {"notifications": CANARY},
        {"notifications": [CANARY]},
        {"notifications": {"urls_file": "canary"}},
        {"notifications": {"urls_file": "/a", "when": "canary"}},
        {"notifications": {"urls_file": "/a", CANARY: 1}},
        {"schedule": [{"ping_url": CANARY}]},
        {"schedule": {"target": CANARY}},
        {"jobs": CANARY},
        {"jobs": [{"name": CANARY}]},
        {"check": CANARY},
        {CANARY: 1},
    ],
    ids=str,
)
def test_a_secret_in_the_wrong_place_is_in_no_message(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert "canary" not in refused(tmp_path, **changes)


@pytest.mark.parametrize(
    "text", [f"- ping_url: {CANARY}\n", f"ping_url: !{CANARY}\n", f"ping_url: *{CANARY}\n", CANARY]
)
def test_a_secret_in_a_broken_file_is_in_no_message(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_config(written(tmp_path, text.replace("{}", CANARY)))

    assert "canary" not in str(caught.value)


def test_the_representation_has_no_secret(tmp_path: Path) -> None:
    config = load(tmp_path, ping_url=CANARY)

    assert config.ping_url == CANARY
    assert "canary" not in repr(config)


def test_whole_numbers_are_whole_however_they_are_written(tmp_path: Path) -> None:
    """YAML and JSON Schema take 3.0 for a whole number; zstd's level and a slice do not."""
    config = load(
        tmp_path, compression_level=3.0, max_run_seconds=60.0, jobs=[{"name": "a", "keep": {"last": 2.0, "daily": 1.0}}]
    )

    numbers = (config.compression_level, config.max_run_seconds, config.jobs[0].keep.last, config.jobs[0].keep.daily)
    assert [repr(number) for number in numbers] == ["3", "60", "2", "1"]


def test_instances_with_one_staging_directory_do_not_share_it(tmp_path: Path) -> None:
    """Both would clear away what the other has under way."""
    one = load_config(written(tmp_path, "stack: /a\nrepository: /b\nstaging: /scratch\n", "one.yml"))
    two = load_config(written(tmp_path, "stack: /a\nrepository: /c\nstaging: /scratch\n", "two.yml"))

    assert one.staging != two.staging
    assert {one.staging.parent, two.staging.parent} == {Path("/scratch")}


@needs_root
@pytest.mark.parametrize("mode", [0o602, 0o620, 0o666])
def test_root_takes_no_configuration_that_others_can_change(tmp_path: Path, mode: int) -> None:
    file = written(tmp_path, "stack: /a\nrepository: /b\n")
    os.chown(file, -1, 65534)  # a group that has somebody in it
    file.chmod(mode)

    with pytest.raises(ConfigurationError, match=r"can be written to by(?s:.)*sudo chmod g"):
        load_config(file)


@needs_root
def test_root_takes_no_configuration_of_another_user(tmp_path: Path) -> None:
    file = written(tmp_path, "stack: /a\nrepository: /b\n")
    os.chown(file, 65534, -1)

    with pytest.raises(ConfigurationError, match=r"belongs to the user(?s:.)*sudo chown root"):
        load_config(file)


def test_a_configuration_may_be_a_link(tmp_path: Path) -> None:
    target = written(tmp_path, "stack: /a\nrepository: /b\n", "elsewhere")
    (tmp_path / "main.yml").symlink_to(target)

    assert load_config(tmp_path / "main.yml").instance == "main"


@pytest.mark.parametrize("name", ["Default.yml", "a_b.yml", "-x.yml", ".yml"])
def test_the_file_is_named_after_an_instance(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="the file's name is the instance's"):
        load_config(written(tmp_path, "stack: /a\nrepository: /b\n", name))


def test_a_directory_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read .*: Is a directory"):
        load_config(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"there is no configuration file {tmp_path}/none.yml"):
        load_config(tmp_path / "none.yml")


class TestFinding:
    """Which file the command line means."""

    @pytest.fixture
    def etc(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("TRACKER_BACKUP_CONFIG_DIRECTORY", str(tmp_path))
        return tmp_path

    def test_the_only_one_needs_no_name(self, etc: Path) -> None:
        file = written(etc, "", "main.yml")
        written(etc, "", "README")

        assert find_config(None, None) == file

    def test_several_are_listed(self, etc: Path) -> None:
        written(etc, "", "one.yml")
        written(etc, "", "two.yml")

        with pytest.raises(ConfigurationError, match=r"several instances are configured: one, two\n.*--instance"):
            find_config(None, None)

    def test_a_wrong_name_is_told_the_right_ones(self, etc: Path) -> None:
        written(etc, "", "one.yml")
        written(etc, "", "two.yml")

        with pytest.raises(ConfigurationError, match=r"no configuration file .*/tow\.yml\n  there are: one, two"):
            load_config(find_config("tow", None))

    def test_none_says_what_to_do(self, etc: Path) -> None:
        with pytest.raises(ConfigurationError, match=rf"no configuration in {etc}\n.*ansible-playbook.*--config PATH"):
            find_config(None, None)

    def test_a_missing_directory_is_like_an_empty_one(self, etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TRACKER_BACKUP_CONFIG_DIRECTORY", str(etc / "none"))

        with pytest.raises(ConfigurationError, match="there is no configuration in"):
            find_config(None, None)

    @pytest.mark.parametrize("name", ["../etc/passwd", "A", "", "a\n", "x" * 33])
    def test_an_instance_is_no_path(self, etc: Path, name: str) -> None:
        with pytest.raises(ConfigurationError, match="not an instance's name"):
            find_config(name, None)

    def test_a_path_becomes_absolute(self, etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It goes into crontab lines."""
        monkeypatch.chdir(etc)

        assert find_config(None, "main.yml") == etc / "main.yml"

    def test_an_instance_and_a_path_are_one_too_many(self, etc: Path) -> None:
        with pytest.raises(UsageError, match="--instance and --config"):
            find_config("one", str(etc / "two.yml"))

    def test_a_directory_without_rights_says_so(self, etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "access", lambda *_: False)

        with pytest.raises(PrivilegeError, match="read by root only"):
            find_config(None, None)


def test_nothing_but_stack_and_repository_is_required(tmp_path: Path) -> None:
    config = load(tmp_path)

    assert (config.instance, config.staging) == ("default", Path("/var/backups/tracker/.staging"))
    assert [(job.name, job.schedule, job.keep) for job in config.jobs] == [("daily", "0 3 * * *", Keep(2, 7))]
    assert config.sources is None
    assert stat.S_IMODE(config.file.stat().st_mode) == 0o600


def test_every_rule_of_a_policy_is_taken_over(tmp_path: Path) -> None:
    rules = {"last": 1, "hourly": 2, "daily": 3, "weekly": 4, "monthly": 5, "yearly": 6}

    [job] = load(tmp_path, jobs=[{"name": "a", "keep": rules}]).jobs

    assert vars(job.keep) == rules
    assert job.keep.most == 16


def test_what_a_copy_may_cost_is_taken_over(tmp_path: Path) -> None:
    costs = {
        "max_write_stall_seconds": 0.5, "max_pause_seconds": 7, "sqlite_when_busy": "refuse",
        "sqlite_journal_mode": "wal",
    }  # fmt: skip

    config = load(tmp_path, **costs)

    assert {key: getattr(config, key) for key in costs} == costs
