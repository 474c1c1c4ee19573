"""docs/monitoring.md, its sections on notifications and logs, typed as they stand there."""

from __future__ import annotations

import json
import re
import subprocess

import yaml

from support.documents import ROOT
from support.receiver import SECRET, Receiver
from support.telling import Telling

PAGE = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """Return the text below a heading."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def typed(title: str, start: str) -> list[str]:
    """Return the lines of the block in a section whose first line begins so."""
    lines = section(title).split("\n")
    first = next(number for number, line in enumerate(lines) if line.startswith(f"    {start}"))
    block = []
    for line in lines[first:]:
        if line and not line.startswith("    "):
            break
        block.append(line[4:])
    return "\n".join(block).rstrip().split("\n")


def test_notifications_by_hand(instance: Telling, receiver: Receiver) -> None:
    [setting] = typed("Notifications", "notifications:")
    notifications = yaml.safe_load(setting)["notifications"]
    instance.tell(receiver.url, f"nonsense://{SECRET}", when=notifications["when"])
    assert notifications.keys() == {"urls_file", "when"}

    command, *answers = typed("Notifications", "$ sudo tracker-backup notify")
    done = instance.run(*command.removeprefix("$ sudo tracker-backup ").split())

    assert done.returncode == 3
    assert [line.partition(": ")[2] for line in answers][:1] == [done.stdout.splitlines()[0].partition(": ")[2]]
    assert len(receiver.arrived) == 1


def test_a_message_looks_as_it_is_shown(instance: Telling, receiver: Receiver) -> None:
    instance.tell(receiver.url)
    instance.night(good=False)

    subject, _, *shown = typed("Notifications", "Subject: ")
    [said] = receiver.arrived

    pattern = re.escape(subject.removeprefix("Subject: ")).replace("alpha", r"\S+")
    assert re.fullmatch(pattern, said["title"])
    lines = said["message"].split("\n")
    assert [line.partition(":")[0] for line in lines if line][:4] == [line.partition(":")[0] for line in shown[:4]]
    assert lines[3].partition("Z, ")[2] == shown[3].partition("Z, ")[2]
    assert [line.partition(":")[0] for line in lines[-2:]] == [line.partition(":")[0] for line in shown[-2:]]


def test_the_log_of_a_run_is_found_by_its_id(instance: Telling) -> None:
    instance.run("--now")
    instance.run("--now")
    run = instance.ids()[0]
    command, *shown = typed("Logs", "$ sudo grep -F run=")
    words = command.removeprefix("$ sudo ").split()

    found = subprocess.run(
        [*words[:2], words[2].replace("20261128T203350Z-daily", run), str(instance.log)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    assert found == [line for line in instance.log.read_text(encoding="utf-8").splitlines() if run in line]
    keys = re.compile(r"(\w+)=")
    assert [keys.findall(line) for line in shown[:3]] == [keys.findall(line) for line in found[:3]]
    assert keys.findall(shown[-1]) == keys.findall(found[-1])


def test_every_key_of_a_record_is_described(instance: Telling, receiver: Receiver) -> None:
    [setting] = typed("Logs", "log_format:")
    instance.tell(receiver.url, when="always", **yaml.safe_load(setting))
    instance.run("--now", "--quiet")

    table = [line for line in section("Logs").split("\n") if line.startswith("| `")]
    described = {key for line in table for key in re.findall(r"`(\w+)`", line.split("|")[1])}
    used = {key for line in instance.log.read_text(encoding="utf-8").splitlines() for key in json.loads(line)}

    assert used == described
