"""The table of all hosts, from what they answered; test_fleet.py has real hosts."""

from __future__ import annotations

import json
import runpy
from typing import Any

import pytest

from role.playing import ROLE

FLEET = runpy.run_path(str(ROLE / "files/fleet.py"))
GOOD = {
    "instance": "default",
    "state": "OK",
    "reasons": [],
    "jobs": [],
    "judged_at": "2026-11-23T09:40:00Z",
    "next_run": "2026-11-24T03:00:00Z",
    "newest": {
        "id": "20261123T030000Z-daily", "job": "daily", "started_at": "2026-11-23T03:00:00Z",
        "raw_bytes": 1024**3, "bytes": 557737574, "pause_seconds": 2.04,
    },
}  # fmt: skip
WARNED = {**GOOD, "state": "WARNING", "reasons": [{"level": "WARNING", "text": "one\n  two"}], "newest": None}
UNREAD = {"state": "UNKNOWN", "reasons": [{"level": "UNKNOWN", "text": "may be read by root only"}], "jobs": []}


def judged(document: object = GOOD, **changes: Any) -> dict[str, Any]:
    """Return what becomes of one host's answer."""
    answer = {
        "host": "alpha", "expected": ["default"], "unreachable": False, "rc": 0, "said": "",
        "stdout": document if isinstance(document, str) else json.dumps(document),
    }  # fmt: skip
    found: dict[str, Any] = FLEET["judge"]([{**answer, **changes}])
    return found


def test_a_good_host() -> None:
    lines = judged()["text"].splitlines()

    assert lines[:2] == ["OK: 1 host", ""]
    assert lines[2].startswith(
        "HOST   INSTANCE  STATE  LAST VERIFIED BACKUP    AGE  RAW      STORED     PAUSE  NEXT RUN"
    )
    assert lines[3:] == [
        "alpha  default   OK     20261123T030000Z-daily  6 h  1.0 GiB  531.9 MiB  2.0 s  2026-11-24T03:00:00Z  -",
    ]


def test_a_warning_is_told_on_one_line_and_does_not_fail() -> None:
    made = judged(WARNED)

    assert made["text"].startswith("WARNING: 1 of 1 host: alpha\n")
    assert made["text"].endswith("\n\nalpha default: WARNING: one; two")
    assert (made["failed"], made["report"]["state"]) == ({}, "WARNING")


@pytest.mark.parametrize(
    ("changes", "state", "said"),
    [
        ({"unreachable": True, "said": "no route\nto host", "stdout": ""}, "UNREACHABLE", "no route; to host"),
        ({"rc": 127, "stdout": ""}, "NOT PROVISIONED", "ansible-playbook site.yml --limit alpha"),
        ({"rc": 1, "stdout": "", "said": "no Python"}, "UNKNOWN", "did not tell its status (exit 1): no Python"),
        ({"document": "[1, 2]"}, "UNKNOWN", "did not tell its status"),
        ({"document": {**GOOD, "state": "FINE"}}, "UNKNOWN", "did not tell its status"),
        ({"document": {**GOOD, "state": "CRITICAL"}}, "CRITICAL", ""),
        ({"document": UNREAD}, "NOT PROVISIONED", "it is not on this host, or was never finished"),
        ({"document": UNREAD}, "NOT PROVISIONED", "(may be read by root only)"),
        ({"document": {**UNREAD, "instance": "default"}}, "UNKNOWN", "may be read by root only"),
        ({"expected": ["default", "test"]}, "NOT PROVISIONED", "alpha test: NOT PROVISIONED: "),
    ],
)
def test_who_needs_somebody(changes: dict[str, Any], state: str, said: str) -> None:
    made = judged(**changes)

    assert [host["state"] for host in made["report"]["hosts"]] == [state]
    assert made["report"]["state"] == "CRITICAL"
    assert list(made["failed"]) == ["alpha"]
    assert said in made["text"]


def test_a_host_on_which_nothing_is_wanted_is_no_problem() -> None:
    made = judged(expected=[], rc=127, stdout="")

    assert (made["report"]["hosts"][0]["state"], made["failed"]) == ("ABSENT", {})


def test_several_instances_have_a_line_each() -> None:
    both = {"state": "WARNING", "instances": [{**GOOD, "instance": "main"}, {**WARNED, "instance": "test"}]}

    lines = judged(both, expected=["main", "test"])["text"].splitlines()

    assert [line.split()[1:3] for line in lines[3:5]] == [["main", "OK"], ["test", "WARNING"]]


@pytest.mark.parametrize(
    ("minutes", "said"), [(0, "0 min"), (119, "119 min"), (120, "2 h"), (47 * 60, "47 h"), (48 * 60, "2 d")]
)
def test_ages(minutes: int, said: str) -> None:
    now = f"2026-11-{23 + minutes // 1440:02}T{minutes % 1440 // 60:02}:{minutes % 60:02}:30Z"

    assert FLEET["age"](now, "2026-11-23T00:00:00Z") == said


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (17 * 1024**3, "17.0 GiB"), (5 * 1024**5, "5120.0 TiB")],
)
def test_sizes(number: int, said: str) -> None:
    assert FLEET["size"](number) == said
