"""Hands one notification to Apprise, as a program of its own: a plugin that hangs, or dies, takes nobody along.

Usage: python3 -I apprise_child.py; reads one JSON object from stdin (urls, title, body, kind, seconds) and prints one:
`results`, a word for each address, or `missing`, the name of a library. The addresses are secrets: they come by stdin,
and what Apprise and its plugins print or log, which may hold them, goes nowhere.
"""

import json
import logging
import os
import sys
import threading
import time
from typing import Any

SENT, UNSENT, UNKNOWN, LATE = "sent", "unsent", "unknown", "late"


def main() -> None:
    """Read what is asked, send it to every address at once, and say what came of each within the time."""
    began = time.monotonic()
    answer = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    logging.disable(logging.CRITICAL)
    asked = json.load(sys.stdin)
    try:
        import apprise
    except ModuleNotFoundError as error:
        say(answer, {"missing": error.name})
        return
    apprise.Apprise.instantiate("json://127.0.0.1")  # loads the plugins, once, before threads do it at the same time
    results = [LATE] * len(asked["urls"])

    def tell(number: int) -> None:
        results[number] = sent(apprise, asked, asked["urls"][number])

    threads = [threading.Thread(target=tell, args=(number,), daemon=True) for number in range(len(results))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, began + asked["seconds"] - time.monotonic()))
    say(answer, {"results": results})


def sent(apprise: Any, asked: dict[str, Any], url: str) -> str:
    """Send to one address, and return the word for what came of it."""
    try:
        # Each on its own, in this thread: together they would share one verdict.
        target = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
        if not target.add(url):
            return UNKNOWN
        kind = getattr(apprise.NotifyType, asked["kind"].upper())
        taken = target.notify(
            body=asked["body"], title=asked["title"], notify_type=kind, body_format=apprise.NotifyFormat.TEXT
        )
    except Exception:  # noqa: BLE001 - whatever a plugin raises, its words may hold the address
        return UNSENT
    return SENT if taken else UNSENT


def say(answer: int, said: dict[str, Any]) -> None:
    """Print the answer and end at once, whatever threads still wait for."""
    os.write(answer, json.dumps(said).encode())
    os._exit(0)


if __name__ == "__main__":
    main()
