"""The libraries that the program does not bring along, and what Debian and Ubuntu call them."""

from __future__ import annotations

import sys

from tracker_backup.errors import CommandError

PACKAGES = {
    "yaml": "python3-yaml",
    "jsonschema": "python3-jsonschema",
    "croniter": "python3-croniter",
    "crontab": "python3-crontab",
    "sh": "python3-sh",
    "rich": "python3-rich",
}
"""By the name that is imported, the package that has it."""
ON_REQUEST = {"apprise": "apprise", "prometheus_client": "python3-prometheus-client"}
"""The same for libraries that only a setting needs."""


def missing_library(error: ModuleNotFoundError) -> CommandError | None:
    """Return what to tell where a library is missing; None where it is none that the program needs."""
    name = (error.name or "").partition(".")[0]
    package = PACKAGES.get(name) or ON_REQUEST.get(name)
    if package is None:
        return None
    return CommandError(
        f"the Python library {name} is missing: {sys.executable} does not find it",
        hint=f"sudo apt-get install {package}",
    )
