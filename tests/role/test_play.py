"""One host from its first dry run to its removal: every play is made once, the tests look at what it did."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest

from role.playing import CANARY, CURRENT, TOLD, Controller, Story, files

INCUMBENT = "0 3 * * * root /usr/local/bin/maintenance-backup.sh\n"
TABLE = (
    b"MAILTO=\n\t0 4 * * *  echo caf\xe9  # as it is\n"
    b"15 3 * * * /opt/share/bin/tracker-db-backup.sh\r\n# 1 1 * * * tracker-db-backup.sh\n"
)

# The scenario `absent`, which make test plays, takes everything off a real host as well.
in_test_all = pytest.mark.slow


def plant_incumbents(host: Path) -> None:
    """Put on the host what older backups leave there."""
    for name, content in (
        ("etc/cron.d/tracker-backup", INCUMBENT.encode()),
        ("var/spool/cron/crontabs/root", TABLE),
    ):
        (host / name).parent.mkdir(parents=True)
        (host / name).write_bytes(content)


@pytest.fixture(scope="module")
def story(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Return the plays of one host's life."""
    controller = Controller(clone, tmp_path_factory.mktemp("story"))
    host = controller.host(
        "one",
        tracker_backup_ping_url=CANARY,
        tracker_backup_notification_urls=[TOLD, "mailto://me@example.org"],
        tracker_backup_legacy="disable",
    )
    plant_incumbents(host)
    told = Story(controller, host)
    told.look("before")
    told.play("virgin check", "--check", "--diff", "-vvv")
    told.play("first", "--diff", "-vvv")
    told.modes = {str(path.relative_to(host)): stat.S_IMODE(path.stat().st_mode) for path in host.rglob("*")}
    told.modes |= {f"{CURRENT}/{path.name}": stat.S_IMODE(path.stat().st_mode) for path in told.deployed.iterdir()}
    told.play("second", "--diff")
    return told


@pytest.fixture(scope="module")
def removed(story: Story) -> Story:
    """Return the story with its end: the role's removal, twice."""
    story.play("absent", "-e", "tracker_backup_state=absent")
    story.play("absent again", "-e", "tracker_backup_state=absent")
    return story


def test_dry_run_on_a_virgin_host_is_clean_and_changes_nothing(story: Story) -> None:
    play = story.plays["virgin check"]

    assert (play.code, play.count("one", "failed")) == (0, 0), play.output
    assert play.count("one", "changed") > 0
    assert story.after["virgin check"] == story.after["before"]


def test_one_run_leaves_a_verified_backup(story: Story) -> None:
    play = story.plays["first"]
    manifests = list((story.host / "var/backups/tracker-backup/default").glob("*-daily/manifest.json"))

    assert play.code == 0, play.output
    assert [json.loads(path.read_text())["state"] for path in manifests] == ["verified"]


@pytest.mark.parametrize("task", ["Repository is made", "Schedule is in place"])
def test_what_the_program_changes_is_told_as_a_change(story: Story, task: str) -> None:
    assert told_as_a_change(story.plays["first"].output, task), story.plays["first"].output


def told_as_a_change(output: str, task: str) -> bool:
    return bool(re.search(rf"^TASK \[[^\n]*{task}\] \*+\n(?:(?!TASK).*\n)*?changed: \[one\]", output, re.MULTILINE))


def test_second_run_changes_nothing(story: Story) -> None:
    play = story.plays["second"]

    assert play.code == 0, play.output
    assert play.count("one", "changed") == 0, play.output
    assert files(story.after["second"]) == files(story.after["first"])


@pytest.mark.parametrize("name", ["virgin check", "first", "second"])
def test_no_secret_is_in_any_output(story: Story, name: str) -> None:
    assert "canary" not in story.plays[name].output
    assert CANARY in bytes.fromhex(story.after["first"]["etc/tracker-backup/default.yml"]).decode()


def test_addresses_that_are_told_have_a_file_of_their_own(story: Story) -> None:
    written = bytes.fromhex(story.after["first"]["etc/tracker-backup/default.urls"]).decode().splitlines()
    configuration = bytes.fromhex(story.after["first"]["etc/tracker-backup/default.yml"]).decode()

    assert [line for line in written if not line.startswith("#")] == [TOLD, "mailto://me@example.org"]
    assert f"urls_file: {story.host}/etc/tracker-backup/default.urls" in configuration
    assert "when: recovery" in configuration
    assert TOLD not in configuration


def test_diff_shows_what_changes_in_the_configuration(story: Story) -> None:
    """All but the secret, of which it says that it changes."""
    message = story.plays["first"].message()

    assert "compression_level: 1" in message
    assert "secrets: - ping_url" in message


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("etc/tracker-backup", 0o750),
        ("etc/tracker-backup/default.yml", 0o600),
        ("etc/tracker-backup/default.urls", 0o600),
        ("usr/local/bin/tracker-backup", 0o755),
        (f"{CURRENT}/__main__.py", 0o644),
        ("var/backups/tracker-backup", 0o700),
        ("var/backups/tracker-backup/default", 0o700),
        ("var/lib/tracker-backup/default", 0o755),
        ("var/log/tracker-backup", 0o750),
        ("etc/logrotate.d/tracker-backup-default", 0o644),
        ("etc/cron.d/tracker-backup-default", 0o644),
    ],
)
def test_modes(story: Story, name: str, mode: int) -> None:
    assert f"{story.modes[name]:o}" == f"{mode:o}"


def test_schedule_calls_the_command_on_the_host(story: Story) -> None:
    entries = bytes.fromhex(story.after["first"]["etc/cron.d/tracker-backup-default"]).decode()

    assert f"{story.host}/usr/local/bin/tracker-backup" in entries


def test_older_backups_are_switched_off_and_nothing_else_is_touched(story: Story) -> None:
    after = story.after["first"]
    table = bytes.fromhex(after["var/spool/cron/crontabs/root"])
    lines = zip(TABLE.split(b"\n"), table.split(b"\n"), strict=True)
    changed = [new for old, new in lines if new != old]

    assert "etc/cron.d/tracker-backup" not in after
    assert [name for name in after if name.startswith("etc/cron.d/tracker-backup.")] != []
    assert changed == [b"#disabled by tracker-backup# 15 3 * * * /opt/share/bin/tracker-db-backup.sh\r"]


@in_test_all
def test_what_goes_is_told_as_a_change(removed: Story) -> None:
    assert told_as_a_change(removed.plays["absent"].output, "Schedule is removed"), removed.plays["absent"].output


@in_test_all
def test_absent_leaves_the_backups_and_nothing_else_of_ours(removed: Story) -> None:
    play = removed.plays["absent"]
    left = {name for name in removed.after["absent"] if not name.startswith("var/backups/")}

    assert play.code == 0, play.output
    assert left == set(removed.after["before"])
    assert any(name.endswith("manifest.json") for name in removed.after["absent"])


@in_test_all
def test_absent_switches_older_backups_on_again(removed: Story) -> None:
    assert {name: removed.after["absent"][name] for name in removed.after["before"]} == removed.after["before"]


@in_test_all
def test_absent_again_changes_nothing(removed: Story) -> None:
    play = removed.plays["absent again"]

    assert play.code == 0, play.output
    assert play.count("one", "changed") == 0, play.output
