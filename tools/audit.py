"""Ask whether any pinned package is known to be vulnerable; say so where nobody can be asked.

Exits with 1 for a known vulnerability only. What could not be looked up is told in the last line, after "note: ": a
developer without a network is no reason for a failure, and no reason to call anything sound either.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements-dev.txt"
"""It takes in requirements.txt."""
SERVICES = {"pypi": "https://pypi.org/pypi/pytest/json", "osv": "https://api.osv.dev/v1/vulns/PYSEC-2024-48"}
"""Whom to ask, and an address each that tells within a second or two whether that has any sense."""
SECONDS = 20
"""For one service; a network that answers needs about ten."""


@dataclass(frozen=True)
class Answer:
    """What a service has said: how many packages it knows, those that it does not, and what is wrong with any."""

    known: int
    unknown: tuple[str, ...]
    vulnerable: tuple[str, ...]


def ask(service: str, requirements: Path = REQUIREMENTS) -> Answer | None:
    """Return what a service says of all pins, None where it cannot be reached or knows none of them."""
    if not answers(SERVICES[service]):
        return None
    command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", service, "--format", "json"]
    command += ["--requirement", str(requirements), "--no-deps", "--disable-pip", "--progress-spinner", "off"]
    command += ["--timeout", "5", "--cache-dir", str(ROOT / ".cache" / "pip-audit")]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        answer = read(json.loads(done.stdout)["dependencies"])
    except (subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
        return None
    return answer if answer.known else None


def answers(address: str) -> bool:
    """Tell whether a service can be reached: a mirror of packages alone answers, too, and with a refusal."""
    import requests

    try:
        return requests.get(address, timeout=5).status_code == requests.codes.ok
    except requests.RequestException:
        return False


def read(dependencies: list[dict[str, Any]]) -> Answer:
    """Read what pip-audit prints; what it could not look up it calls skipped, and exits with 0 all the same."""
    asked = [each for each in dependencies if "skip_reason" not in each]
    return Answer(
        known=len(asked),
        unknown=tuple(str(each["name"]) for each in dependencies if "skip_reason" in each),
        vulnerable=tuple(
            f"{each['name']} {each['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'none'}"
            for each in asked
            for found in each["vulns"]
        ),
    )


def verdict(answer: Answer | None) -> tuple[int, str]:
    """Return the exit code, and what there is to say."""
    if answer is None:
        return 0, f"note: NOT AUDITED: neither {' nor '.join(SERVICES)} could be asked about the pinned packages"
    if answer.vulnerable:
        return 1, "\n".join(answer.vulnerable)
    if answer.unknown:
        names = ", ".join(answer.unknown)
        return 0, f"note: {len(answer.unknown)} of {answer.known + len(answer.unknown)} are not known there: {names}"
    return 0, f"note: no vulnerability is known of any of {answer.known} packages"


def main() -> int:
    """Ask one service after the other until one answers."""
    answer = next((found for service in SERVICES if (found := ask(service)) is not None), None)
    code, said = verdict(answer)
    print(said)
    return code


if __name__ == "__main__":
    sys.exit(main())
