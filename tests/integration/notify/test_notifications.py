"""Who hears of scheduled runs through Apprise; and that whoever does not hear costs no backup."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from support.receiver import SECRET, Receiver, receiving
from support.telling import Telling

NIGHTS = [True, False, False, True, True]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("failure", ["FAILED", "FAILED"]),
        ("recovery", ["FAILED", "FAILED", "works again"]),
        ("always", ["done", "FAILED", "FAILED", "works again", "done"]),
    ],
)
def test_which_nights_are_told_of(instance: Telling, receiver: Receiver, when: str, expected: list[str]) -> None:
    instance.tell(receiver.url, when=when)

    codes = [instance.night(good=good) for good in NIGHTS]

    assert codes == [0, 1, 1, 0, 0]
    assert [title.removeprefix("job daily ") for title in receiver.titles] == expected
    assert instance.complaints() == []


def test_what_is_told_of_a_failure(instance: Telling, receiver: Receiver) -> None:
    instance.tell(receiver.url)
    instance.night(good=False)

    [said] = receiver.arrived
    assert said["type"] == "failure"
    assert said["title"].startswith("tracker-backup on ")
    for part in ("instance: default", "job: daily", "(exit 1)", str(instance.database), f"log: {instance.log}"):
        assert part in said["message"]
    assert instance.status()["last_run"]["message"] in said["message"]


def test_a_run_by_hand_is_nobody_elses_business(instance: Telling, receiver: Receiver) -> None:
    instance.tell(receiver.url, when="always")

    assert instance.run("--now").returncode == 0
    assert receiver.arrived == []


def test_each_job_recovers_by_itself(instance: Telling, receiver: Receiver) -> None:
    jobs = [{"name": "daily", "schedule": "0 3 * * *"}, {"name": "hourly", "schedule": "0 * * * *"}]
    instance.tell(receiver.url, jobs=jobs)

    instance.night(good=False)
    instance.build()
    hourly, daily = (instance.run("--now", "--quiet", "--job", job).returncode for job in ("hourly", "daily"))

    assert (hourly, daily) == (0, 0)
    assert receiver.titles == ["job daily FAILED", "job daily works again"]


def test_what_keeps_a_run_from_beginning_is_told(instance: Telling, receiver: Receiver) -> None:
    """An unmounted volume, and a lock that somebody else holds."""
    instance.tell(receiver.url)
    with instance.repository.lock.acquire(job="weekly"):
        held = instance.run("--now", "--quiet")
    (instance.path / ".tracker-backup").unlink()
    unmounted = instance.run("--now", "--quiet")

    assert (held.returncode, unmounted.returncode) == (4, 2)
    assert receiver.titles == ["job daily FAILED", "job daily FAILED"]
    assert "kept waiting by another run (exit 4)" in receiver.arrived[0]["message"]
    assert "is the volume mounted?" in receiver.arrived[1]["message"]


@pytest.mark.guarantee(14)
def test_hostile_text_arrives_as_text(instance: Telling, receiver: Receiver) -> None:
    odd = instance.base / "tr\u202eacker <b>&amp;{0}%s $(touch canary)\\n;'\".db"
    instance.tell(receiver.url, sources=[{"name": "tracker", "type": "sqlite", "path": str(odd)}])

    assert instance.run("--now", "--quiet").returncode == 1

    [said] = receiver.arrived
    assert str(odd).replace("\u202e", "\\u202e") in said["message"]
    assert all(line.isprintable() for line in [said["title"], *said["message"].split("\n")])
    assert list(instance.base.rglob("canary")) == []


@pytest.mark.parametrize("trouble", ["away", "refusing", "unknown address", "readable by others", "no file"])
def test_who_does_not_hear_costs_no_backup_and_is_told_of_by_status(instance: Telling, trouble: str) -> None:
    with receiving(code=500) as receiver:
        instance.tell(
            SECRET if trouble == "unknown address" else receiver.url,
            when="always",
            mode=0o644 if trouble == "readable by others" else 0o600,
        )
        if trouble == "no file":
            instance.urls.unlink()
        code = instance.night(good=True) if trouble != "away" else -1
    if trouble == "away":
        code = instance.night(good=True)

    assert code == 0
    assert len(instance.ids()) == 1
    assert len(instance.complaints()) == 1
    said = instance.run("status")
    assert (said.returncode, "notifications do not arrive, since 20" in said.stdout) == (1, True)
    assert "sudo" in instance.complaints()[0]
    logged = instance.log.read_text(encoding="utf-8")
    assert " WARNING " in logged
    assert SECRET not in logged + said.stdout + json.dumps(instance.status())


def test_the_warning_stays_until_one_gets_through(instance: Telling, receiver: Receiver) -> None:
    """A failure that nobody heard of, a good night; the recovery is told until somebody takes it."""
    receiver.code = 500
    instance.tell(receiver.url)
    instance.night(good=False)
    first = instance.complaints()
    instance.night(good=True)
    still = instance.complaints()
    receiver.code = 200
    instance.night(good=True)

    assert len(first) == 1
    assert first[0].partition(": ")[0] == still[0].partition(": ")[0], "since when is not forgotten"
    assert receiver.titles == ["job daily FAILED", "job daily works again", "job daily works again"]
    assert instance.complaints() == []
    assert instance.run("status").returncode == 0


def test_the_trial_says_what_came_of_each_address_by_its_scheme(instance: Telling, receiver: Receiver) -> None:
    with receiving() as gone:
        away = gone.url
    instance.tell(receiver.url, away, f"nonsense://{SECRET}")

    done = instance.run("notify", "--test")

    assert done.returncode == 3, done.stderr
    assert done.stdout.splitlines() == [
        "json://… (line 1): sent",
        "json://… (line 2): not sent: it was refused, or could not be reached",
        "nonsense://… (line 3): not sent: Apprise does not know such an address",
    ]
    assert SECRET not in done.stdout + done.stderr
    assert [said["title"].rpartition(" ")[2] for said in receiver.arrived] == ["test"]
    assert len(instance.complaints()) == 1

    instance.tell(receiver.url)
    again = instance.run("notify", "--test", "--quiet")

    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert instance.complaints() == []


def test_a_trial_that_cannot_be(instance: Telling, receiver: Receiver) -> None:
    without = instance.run("notify", "--test")
    instance.tell(receiver.url, mode=0o644)
    open_to_all = instance.run("notify", "--test")

    assert (without.returncode, open_to_all.returncode) == (2, 2)
    assert "says nothing of notifications" in without.stderr
    assert "chmod 0600" in open_to_all.stderr
    assert receiver.arrived == []


def test_addresses_that_others_can_read_are_refused_by_the_checks(instance: Telling, receiver: Receiver) -> None:
    instance.tell(receiver.url, mode=0o640)
    refused = [instance.run("config", "check"), instance.run("doctor")]
    instance.urls.chmod(0o600)
    taken = [instance.run("config", "check"), instance.run("doctor")]

    assert [done.returncode for done in refused] == [2, 1]
    assert all("chmod 0600" in done.stdout + done.stderr for done in refused)
    assert [done.returncode for done in taken] == [0, 0], taken
    assert "notifications go to json://… (line 1)" in taken[1].stdout


@pytest.mark.guarantee(7)
def test_the_addresses_are_nowhere_to_be_read(instance: Telling) -> None:
    """Not even while they are in use: no argument and no environment of a process holds them."""
    with receiving(hanging=True) as receiver:
        instance.tell(receiver.url, when="always")
        running = instance.start("--now", "--quiet")
        assert receiver.asked.wait(60), running.poll()
        seen = [
            _read(process / what)
            for process in Path("/proc").glob("[0-9]*")
            for what in ("cmdline", "environ")
            if str(instance.base).encode() in _read(process / "environ") + _read(process / "cmdline")
            or b"apprise_child" in _read(process / "cmdline")
        ]
        receiver.released.set()
        said = "".join(running.communicate(timeout=60))

    said += "".join(
        done.stdout + done.stderr
        for done in (instance.run("-v", *words) for words in (["config", "show"], ["status", "--json"], ["doctor"]))
    )
    assert any(b"apprise_child" in text for text in seen), "it was not looked at in time"
    assert not any(SECRET.encode() in text for text in seen)
    assert SECRET not in said
    files = [path for path in instance.base.rglob("*") if path.is_file() and path != instance.urls]
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # it has ended meanwhile


@pytest.mark.slow
def test_who_never_answers_is_waited_for_half_a_minute(instance: Telling, receiver: Receiver) -> None:
    """The others hear of it all the same, and the backup is as good as any."""
    with receiving(hanging=True) as hanging:
        instance.tell(hanging.url, receiver.url, when="always")
        began = time.monotonic()
        code = instance.night(good=True)

    assert code == 0
    assert time.monotonic() - began < 45
    assert receiver.titles == ["job daily done"]
    [complaint] = instance.complaints()
    assert "json://… (line 1): not sent: no answer within 25 s" in complaint
