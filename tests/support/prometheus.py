"""A real Prometheus and a real node_exporter, Debian's, in front of a directory of metrics."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import textwrap
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from support.ports import free_port
from support.program import wait_until

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "roles/tracker_backup/files/monitoring/tracker-backup.rules.yml"
MONITORING = ROOT / "docs/monitoring.md"
_OFTEN = "500ms"
"""Scrapes may take as long, on a machine with much else to do."""


class Prometheus:
    """One that asks twice a second."""

    def __init__(self, port: int) -> None:
        """Keep where it listens."""
        self._address = f"http://127.0.0.1:{port}"

    def get(self, path: str, **arguments: str) -> Any:
        """Ask its API; raises URLError while nobody listens."""
        query = urllib.parse.urlencode(arguments)
        with urllib.request.urlopen(f"{self._address}/api/v1/{path}?{query}", timeout=10) as answer:  # noqa: S310 - http, above
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return what an expression gives now."""
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found

    def found(self, expression: str) -> list[dict[str, Any]]:
        """Return what an expression gives, once it gives anything: a scrape may have failed under load."""
        wait_until(lambda: bool(self.query(expression)), lambda: f"nothing: {expression}", every_seconds=0.1)
        return self.query(expression)

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that fire."""
        return [alert for alert in self.get("alerts")["alerts"] if alert["state"] == "firing"]

    def firing(self) -> set[str]:
        """Return their names."""
        return {alert["labels"]["alertname"] for alert in self.alerts()}

    def answers(self) -> bool:
        """Return whether it has scraped what is there."""
        with contextlib.suppress(OSError):
            return bool(self.query("tracker_backup_info"))
        return False


@contextlib.contextmanager
def watching(metrics: Path, directory: Path) -> Iterator[Prometheus]:
    """Let Prometheus watch a directory of metrics for the time of the block, as docs/monitoring.md sets it up."""
    ours, theirs = free_port(), free_port()
    settings = _documented()
    settings["global"] = {"scrape_interval": _OFTEN, "scrape_timeout": _OFTEN, "evaluation_interval": _OFTEN}
    settings["rule_files"] = [str(_impatient_rules(directory)) for _ in settings["rule_files"]]
    settings["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{theirs}"]}]
    (directory / "prometheus.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    exporter = [
        "prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
        f"--collector.textfile.directory={metrics}", f"--web.listen-address=127.0.0.1:{theirs}",
    ]  # fmt: skip
    server = [
        "prometheus", f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/tsdb",
        f"--web.listen-address=127.0.0.1:{ours}",
    ]  # fmt: skip
    with _running(exporter, directory / "exporter.log"), _running(server, directory / "server.log"):
        prometheus = Prometheus(ours)
        wait_until(prometheus.answers, lambda: (directory / "server.log").read_text(encoding="utf-8"))
        yield prometheus


def _documented() -> dict[str, Any]:
    """Return what the document says to write into prometheus.yml."""
    [snippet] = re.findall(r"^ *```yaml\n(.*?)^ *```", MONITORING.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    settings: dict[str, Any] = yaml.safe_load(textwrap.dedent(snippet))
    assert [Path(file).name for file in settings["rule_files"]] == [RULES.name]
    return settings


def _impatient_rules(directory: Path) -> Path:
    """Return our rules without the time that an alert waits before it fires: no test has ten minutes."""
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
    target = directory / "rules.yml"
    target.write_text(yaml.safe_dump(rules), encoding="utf-8")
    return target


@contextlib.contextmanager
def _running(command: list[str], log: Path) -> Iterator[None]:
    with log.open("w", encoding="utf-8") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        try:
            yield
        finally:
            process.terminate()
