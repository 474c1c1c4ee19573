"""A dead man's switch: one address that hears of every scheduled run (https://healthchecks.io/docs/http_api/)."""

from __future__ import annotations

import http.client
import threading
import urllib.error
import urllib.request

_TIMEOUT_SECONDS = 10
_PATIENCE_SECONDS = 20
_MOST_BYTES = 10_000
START, SUCCESS, FAILURE = "/start", "", "/fail"


def ping(url: str, event: str, text: str = "") -> str | None:
    """Tell the address about an event, with the run's own words; return what went wrong, None if nothing did.

    It never raises: whoever listens notices silence, and a backup must not fail because nobody listens. The address
    is a secret and in no message.
    """
    problems: list[str | None] = []
    # A timeout of the library is one of each read; a server that sends a byte now and then would hold a backup up.
    teller = threading.Thread(target=lambda: problems.append(_tell(url, event, text)), daemon=True)
    teller.start()
    teller.join(_PATIENCE_SECONDS)
    return problems[0] if problems else f"the ping address did not answer within {_PATIENCE_SECONDS} s"


def _tell(url: str, event: str, text: str) -> str | None:
    try:
        request = urllib.request.Request(  # noqa: S310 - what is opened below is HTTP only
            url.rstrip("/") + event,
            data=text.encode(errors="replace")[-_MOST_BYTES:],
            headers={"User-Agent": "tracker-backup", "Content-Type": "text/plain; charset=utf-8"},
        )
        with _opener().open(request, timeout=_TIMEOUT_SECONDS):
            return None
    except urllib.error.HTTPError as error:
        error.close()
        return f"the ping address answered {error.code}"
    except urllib.error.URLError as error:
        reason = error.reason.strerror if isinstance(error.reason, OSError) else None
        return f"the ping address could not be reached: {reason or type(error.reason).__name__}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        # Their own words may hold the address.
        return f"the ping address could not be reached: {type(error).__name__}"


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens HTTP addresses and nothing else; the usual one would follow a redirection to FTP."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener
