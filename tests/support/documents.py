"""What the tests of the documents read: which there are, their headings, the commands in them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
NOT_OURS = {".git", ".venv", ".cache", ".demo", "node_modules"}
FENCED = re.compile(r"^ *```\w*\n(.*?)^ *```", flags=re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")


def documents() -> list[Path]:
    """Return all Markdown files of the checkout."""
    return sorted(path for path in ROOT.rglob("*.md") if not NOT_OURS & set(path.relative_to(ROOT).parts))


def without_code(document: Path) -> str:
    """Return a document's text without fenced blocks and inline code."""
    return INLINE.sub("", FENCED.sub("", document.read_text(encoding="utf-8")))


def headings(document: Path) -> set[str]:
    """Return the anchors that Markdown viewers give to a document's headings."""
    text = FENCED.sub("", document.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ +(.+?) *$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(document: Path) -> list[str]:
    """Return the command lines in a document: lines of its code blocks, indented or fenced, and inline code.

    A prompt, a leading `sudo` and variable settings are taken off, continued lines are joined.
    """
    text = document.read_text(encoding="utf-8").replace("\\\n", " ")
    indented = re.findall(r"^ {4,}(\S.*)$", text, flags=re.MULTILINE)
    inline = INLINE.findall(FENCED.sub("", text))
    lines = [line.strip() for block in (*FENCED.findall(text), *indented, *inline) for line in block.splitlines()]
    return [re.sub(r"^(?:[$#] )?(?:sudo (?:-\w+ )*)?(?:[A-Z_]+=\S+ )*", "", line) for line in lines if line]
