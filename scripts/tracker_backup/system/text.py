"""Text that comes from somewhere else, a name, a path, a program's words, as it may be shown.

An escape sequence would be an order to the terminal, a line break would begin what looks like another message of ours,
and a character that turns the direction of writing would show a name as another one.
"""

from __future__ import annotations


def on_one_line(text: str) -> str:
    """Return text with everything that does not print, line breaks too, as an escape that does."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def visible(text: str, *, indented: str = "") -> str:
    r"""Return text with what does not print as escapes, except for its line breaks (\n) and tabs.

    `indented` goes before every line but the first that does not begin with a blank.
    """
    first, *more = ("\t".join(map(on_one_line, line.split("\t"))) for line in text.split("\n"))
    return "\n".join([first, *(line if not line or line[0] in " \t" else indented + line for line in more)])
