"""Documents that were sound: what bit rot, an editor, or somebody who wants to do harm makes of them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

ODD_VALUES: list[Any] = [
    None, True, False, 0, -1, 1.5, 2**63, -(2**70), 10**400, 1e308, float("inf"), float("nan"), "", "x", " ", "\0",
    "\n", "\x1b[2J", "\udc80", "../../etc", "/", "-rf", "$(touch canary)", "0" * 5000, "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z", [], [[]], [None], {}, {"": None}, {"x": {}}, [1, "a", {}],
]  # fmt: skip
_PIECES = [
    b"", b"\0", b"\n", b"\r\n", b"\t", b"\xff", b"\xc3", b"\xed\xb2\x80", b"\xef\xbb\xbf", b"'", b'"', b"`", b"\\",
    b"{", b"}", b"[", b"]", b":", b",", b"#", b"$", b"${", b"$$", b"&a ", b"*a",
    b"!!python/object:os.system ", b"<<: ", b"-",
    b"--- ", b"%", b"1" * 5000, b"1e999", b"NaN", b"[" * 3000, b"{a: " * 500, b"\x1b]0;", "\u2028".encode(),
    "\U0001f4a9".encode(),
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, documents: Sequence[bytes]) -> bytes:
    """Return one of the documents with bytes taken out, put in, repeated, or moved."""
    data = draw(st.sampled_from(documents))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12) | st.integers(0, len(data))))
        piece = draw(st.sampled_from(_PIECES) | st.binary(max_size=4) | st.just(data[start:end] * 2))
        data = data[:start] + piece + data[end:]
    return data


@st.composite
def altered(draw: st.DrawFn, documents: Sequence[Any]) -> Any:
    """Return one of the documents (of dictionaries, lists and scalars) with values replaced, taken out or put in."""
    document = copy.deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(document))
        if not places:
            return document
        holder, key = draw(st.sampled_from(places))
        what = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
        if what == "replace":
            holder[key] = copy.deepcopy(draw(st.sampled_from(ODD_VALUES)))
        elif what == "remove":
            del holder[key]
        elif isinstance(holder, dict):
            holder["added"] = copy.deepcopy(draw(st.sampled_from(ODD_VALUES)))
    return document


def _places(value: Any) -> Any:
    """Yield every container in a document with every key or index of it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield value, key
        yield from _places(item)
