"""playbooks/status.yml: all hosts in one table, whatever is wrong with some of them."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from role.playing import CANARY, ROOT, Controller, Result, snapshot

pytestmark = pytest.mark.slow

HOSTS = ("alpha", "empty", "gone", "twin")


@dataclass
class Fleet:
    """Four hosts, what was shown of them and what was written."""

    controller: Controller
    shown: Result
    report: dict[str, Any]
    changed: bool

    def table(self) -> dict[tuple[str, str], str]:
        """Return the table's lines by host and instance."""
        found = re.findall(rf"^ +(({'|'.join(HOSTS)})  +(\S+)  .*)$", self.shown.output, re.MULTILINE)
        return {(host, instance): line for line, host, instance in found}


@pytest.fixture(scope="module")
def fleet(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Return four hosts: a good one, one of two instances, one never provisioned, one that is not there.

    Of the two instances one has lost its repository, and the other is in the inventory only.
    """
    controller = Controller(clone, tmp_path_factory.mktemp("fleet"))
    controller.host("alpha", tracker_backup_ping_url=CANARY)
    one = {"name": "one", "stack_dir": str(controller.directory / "twin/stack"), "first_backup": "never"}
    twin = controller.host("twin", tracker_backup_instances=[one])
    assert controller.play().code == 0
    controller.hosts["twin"]["tracker_backup_instances"].append({**one, "name": "two"})
    shutil.rmtree(twin / "var/backups/tracker-backup/one")
    controller.host("empty")
    controller.host("gone", ansible_connection="ssh", ansible_host="127.0.0.1", ansible_port=1)
    before = snapshot(twin)
    output = controller.directory / "fleet.json"
    shown = controller.play("-e", f"output={output}", playbook=clone / "playbooks/status.yml")
    return Fleet(controller, shown, json.loads(output.read_text()), changed=snapshot(twin) != before)


def test_all_hosts_are_in_one_table_and_the_play_fails(fleet: Fleet) -> None:
    assert fleet.shown.code == 2, fleet.shown.output
    assert {key: re.split("  +", line)[2] for key, line in fleet.table().items()} == {
        ("alpha", "default"): "OK",
        ("twin", "one"): "CRITICAL",
        ("twin", "two"): "NOT PROVISIONED",
        ("empty", "-"): "NOT PROVISIONED",
        ("gone", "-"): "UNREACHABLE",
    }
    assert "CRITICAL: 3 of 4 hosts: empty, gone, twin" in fleet.shown.message()


def test_a_good_line_has_what_a_person_asks_for(fleet: Fleet) -> None:
    line = fleet.table()["alpha", "default"]

    assert re.fullmatch(
        r"alpha  +default  +OK  +\d{8}T\d{6}Z-daily  +\d+ min  +[\d.]+ [KM]iB  +[\d.]+ [KM]iB  +0\.0 s  +\S+Z  +-", line
    ), line


def test_each_problem_is_told_with_what_to_do(fleet: Fleet) -> None:
    said = fleet.shown.message()

    assert "empty: NOT PROVISIONED: tracker-backup is not on this host; put it there: ansible-playbook site.yml" in said
    assert "twin two: NOT PROVISIONED: it is not on this host, or was never finished" in said
    assert re.search(r"twin one: CRITICAL: .*is the volume mounted", said)
    assert re.search(r"gone: UNREACHABLE: .*[Cc]onnection refused", said)


def test_the_recap_names_those_that_need_somebody(fleet: Fleet) -> None:
    assert {name: fleet.shown.count(name, "failed") for name in HOSTS} == {
        "alpha": 0, "empty": 1, "gone": 1, "twin": 1,
    }  # fmt: skip


def test_machines_read_a_file_without_any_noise(fleet: Fleet) -> None:
    hosts = {host["host"]: host for host in fleet.report["hosts"]}

    assert fleet.report["state"] == "CRITICAL"
    assert {name: host["state"] for name, host in hosts.items()} == {
        "alpha": "OK", "empty": "NOT PROVISIONED", "gone": "UNREACHABLE", "twin": "NOT PROVISIONED",
    }  # fmt: skip
    assert hosts["alpha"]["instances"][0]["jobs"][0]["last_verified"] is not None


def test_nothing_is_changed_and_nothing_secret_shown(fleet: Fleet) -> None:
    assert not fleet.changed
    assert all(fleet.shown.count(name, "changed") == 0 for name in HOSTS)
    assert "canary" not in fleet.shown.output + json.dumps(fleet.report)


def test_a_limit_leaves_the_others_out(fleet: Fleet) -> None:
    shown = fleet.controller.play("--limit", "alpha", playbook=ROOT / "playbooks/status.yml")

    assert shown.code == 0, shown.output
    assert "OK: 1 host" in shown.message()
    assert "twin" not in shown.output


def test_an_empty_inventory_says_what_to_do(controller: Controller) -> None:
    shown = controller.play(playbook=controller.checkout / "playbooks/status.yml")

    assert shown.code == 2
    assert "there is nobody to ask" in shown.message()
