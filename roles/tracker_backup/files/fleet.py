"""Make one table, and one object for JSON, of what the hosts of an inventory answered; playbooks/status.yml runs this.

Standard input: an array of answers, each an object with
    host           its name in the inventory
    expected       the names of the instances that the inventory wants there
    unreachable    whether it could not be reached
    rc, stdout     of `tracker-backup status --json`
    said           what else was said: stderr, or Ansible's own message
Standard output: an object with `text` (the table and the problems), `report` (for machines) and `failed` (for each host
that needs somebody, what is wrong with it).

It runs on the controller, and needs nothing but Python.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

UNREACHABLE, NOT_PROVISIONED, ABSENT = "UNREACHABLE", "NOT PROVISIONED", "ABSENT"
WORST_FIRST = (UNREACHABLE, NOT_PROVISIONED, "CRITICAL", "UNKNOWN", "WARNING", "OK", ABSENT)
FAILING = WORST_FIRST[:4]
NOT_FOUND = 127
"""What a shell exits with where there is no such program."""
HEADING = (
    "HOST", "INSTANCE", "STATE", "LAST VERIFIED BACKUP", "AGE", "RAW", "STORED", "PAUSE", "NEXT RUN", "PROBLEMS",
)  # fmt: skip


def host_report(answer: dict[str, Any]) -> dict[str, Any]:
    """Return a host's object: its worst state, its problem where it has no instance to tell of one, its instances."""
    name = answer["host"]
    if answer["unreachable"]:
        return {"host": name, "state": UNREACHABLE, "problem": one_line(answer["said"]), "instances": []}
    found = instances_in(answer["stdout"])
    if found is None:
        if answer["rc"] == NOT_FOUND and not answer["expected"]:
            return {"host": name, "state": ABSENT, "problem": None, "instances": []}
        if answer["rc"] == NOT_FOUND:
            problem = f"tracker-backup is not on this host; put it there: ansible-playbook site.yml --limit {name}"
            return {"host": name, "state": NOT_PROVISIONED, "problem": problem, "instances": []}
        problem = f"it did not tell its status (exit {answer['rc']}): {one_line(answer['said'])}"
        return {"host": name, "state": "UNKNOWN", "problem": problem, "instances": []}
    named = [instance for instance in found if "instance" in instance]
    there = [instance["instance"] for instance in named]
    why = next((one_line(reason["text"]) for item in found if item not in named for reason in item["reasons"]), "")
    named += [missing(name, wanted, why) for wanted in answer["expected"] if wanted not in there]
    return {"host": name, "state": worst([item["state"] for item in named]), "problem": None, "instances": named}


def instances_in(text: str) -> list[dict[str, Any]] | None:
    """Return the instances of an answer of `status --json`, None where it is none."""
    try:
        document = json.loads(text)
        found: list[dict[str, Any]] = document.get("instances", [document])
        states = [item["state"] for item in found if isinstance(item["reasons"], list)]
    except (ValueError, AttributeError, KeyError, TypeError):
        return None
    return found if set(states) <= set(WORST_FIRST) else None


def missing(host: str, instance: str, why: str) -> dict[str, Any]:
    """Return what stands for an instance that the inventory names and the host does not."""
    text = f"it is not on this host, or was never finished: ansible-playbook site.yml --limit {host}"
    reason = {"level": "CRITICAL", "text": f"{text} ({why})" if why else text}
    return {"instance": instance, "state": NOT_PROVISIONED, "reasons": [reason], "jobs": []}


def worst(states: list[str]) -> str:
    """Return the worst of some states; where there is none, nothing is wanted there."""
    return min(states, key=WORST_FIRST.index, default=ABSENT)


def problems(host: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a host, a line each."""
    if host["problem"] is not None:
        yield f"{host['host']}: {host['state']}: {host['problem']}"
    for item in host["instances"]:
        for reason in item["reasons"]:
            level = item["state"] if item["state"] == NOT_PROVISIONED else reason["level"]
            yield f"{host['host']} {item['instance']}: {level}: {one_line(reason['text'])}"


def rows(host: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a host's lines of the table."""
    for item in host["instances"]:
        newest = item.get("newest") or {}
        yield (
            host["host"],
            item["instance"],
            item["state"],
            newest.get("id", "-"),
            age(item.get("judged_at"), newest.get("started_at")),
            size(newest.get("raw_bytes")),
            size(newest.get("bytes")),
            f"{newest['pause_seconds']:.1f} s" if newest else "-",
            item.get("next_run") or "-",
            str(len(item["reasons"]) or "-"),
        )
    if not host["instances"]:
        yield (host["host"], "-", host["state"], *["-"] * 6, "-" if host["problem"] is None else "1")


def age(now: str | None, then: str | None) -> str:
    """Return the time between two moments of one host's clock, in a unit of which there are two at least."""
    if now is None or then is None:
        return "-"
    minutes = int((datetime.fromisoformat(now) - datetime.fromisoformat(then)).total_seconds()) // 60
    for unit, length in (("d", 24 * 60), ("h", 60)):
        if minutes >= 2 * length:
            return f"{minutes // length} {unit}"
    return f"{minutes} min"


def size(number: int | None) -> str:
    """Return a number of bytes as people read it."""
    if number is None:
        return "-"
    power = min((max(number, 1).bit_length() - 1) // 10, 4)
    return f"{number} B" if power == 0 else f"{number / 1024**power:.1f} {'KMGT'[power - 1]}iB"


def table(lines: list[tuple[str, ...]]) -> str:
    """Return lines under the heading, each column as wide as its widest cell."""
    everything = [HEADING, *lines]
    widths = [max(len(line[column]) for line in everything) for column in range(len(HEADING))]
    padded = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in everything]
    return "\n".join(line.rstrip() for line in padded)


def summary(hosts: list[dict[str, Any]]) -> str:
    """Say in a line how all of them are, and which need somebody."""
    counted = f"{len(hosts)} host" + "s" * (len(hosts) != 1)
    for level, states in (("CRITICAL", FAILING), ("WARNING", ("WARNING",))):
        named = [host["host"] for host in hosts if host["state"] in states]
        if named:
            return f"{level}: {len(named)} of {counted}: {', '.join(named)}"
    return f"OK: {counted}"


def one_line(text: str) -> str:
    """Return a message that may have several lines as one."""
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())


def judge(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the text for people, the report for machines, and what is wrong with each host that needs somebody."""
    hosts = [host_report(answer) for answer in answers]
    told = [line for host in hosts for line in problems(host)]
    said = summary(hosts)
    parts = [said, table([row for host in hosts for row in rows(host)]), "\n".join(told)]
    return {
        "text": "\n\n".join(filter(None, parts)),
        "report": {"state": said.partition(":")[0], "hosts": hosts},
        "failed": {host["host"]: "\n".join(problems(host)) for host in hosts if host["state"] in FAILING},
    }


if __name__ == "__main__":
    print(json.dumps(judge(json.load(sys.stdin))))
