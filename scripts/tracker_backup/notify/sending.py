"""Send a notification, in a child process, within a time limit; what is said of an address is its scheme alone."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tracker_backup.errors import CommandError
from tracker_backup.system.libraries import missing_library
from tracker_backup.system.process import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker_backup.notify.addresses import Address
    from tracker_backup.notify.rule import Note

SECONDS = 30.0
"""How long a notification may take, all addresses and the library's own start together."""

_CHILD = Path(__file__).with_name("apprise_child.py")
_OWN_SHARE = 5 / 6
"""Of the time: after that the child tells of those that have answered; after all of it, it is killed."""

_SENT = "sent"
_MEANING = {
    _SENT: "sent",
    "unsent": "not sent: it was refused, or could not be reached",
    "unknown": "not sent: Apprise does not know such an address",
    "late": "not sent: no answer within {seconds:g} s",
}
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True)
class Verdict:
    """What came of one address."""

    address: Address
    sent: bool
    what: str

    def __str__(self) -> str:
        """Return it in a line."""
        return f"{self.address}: {self.what}"


def send(addresses: Sequence[Address], note: Note, *, seconds: float = SECONDS) -> tuple[Verdict, ...]:
    """Send a note to each address and return what came of it.

    Raises CommandError where Apprise is missing, or has died.
    """
    patience = seconds * _OWN_SHARE
    asked = {
        "urls": [address.url for address in addresses],
        "title": note.title,
        "body": note.body,
        "kind": note.kind,
        "seconds": patience,
    }
    try:
        done = run(
            [sys.executable, "-I", str(_CHILD)],
            timeout_seconds=seconds,
            input_text=json.dumps(asked),
            env={name: os.environ[name] for name in _PROXIES if name in os.environ},
            check=False,
        )
    except CommandError as error:
        raise CommandError(f"Apprise could not do its work: {error.message}") from error
    results = _results(done.stdout, len(addresses))
    return tuple(
        Verdict(address, result == _SENT, _MEANING[result].format(seconds=patience))
        for address, result in zip(addresses, results, strict=True)
    )


def _results(said: str, number: int) -> list[str]:
    try:
        answer = json.loads(said)
        missing, results = answer.get("missing"), answer.get("results", [])
    except (ValueError, AttributeError):
        raise CommandError("Apprise has died while it sent a notification") from None
    if isinstance(missing, str):
        raise missing_library(ModuleNotFoundError(name=missing)) or CommandError(
            f"Apprise cannot be used: the Python library {missing} is missing", hint="sudo apt-get install apprise"
        )
    if len(results) != number or not set(results) <= set(_MEANING):
        raise CommandError("Apprise has answered something else than what came of each address")
    return list(results)
