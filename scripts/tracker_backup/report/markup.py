"""HTML and SVG as a tree of elements: text becomes markup in one place, the standard library's, which escapes it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, tostring

from tracker_backup.system.text import on_one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

Child = Element | str


def element(tag: str, *children: Child, **attributes: str | float) -> Element:
    """Return an element with text and elements in it.

    An attribute's name may end with an underscore (`class_`), and those within it stand for hyphens. What does not
    print is shown as an escape: it would turn the direction of writing, or be refused by the reader's program.
    """
    made = Element(tag, {_name(name): on_one_line(_value(value)) for name, value in attributes.items()})
    append(made, children)
    return made


def append(parent: Element, children: Iterable[Child]) -> None:
    """Put text and elements at an element's end."""
    for child in children:
        if not isinstance(child, str):
            parent.append(child)
        elif len(parent):
            parent[-1].tail = (parent[-1].tail or "") + on_one_line(child)
        else:
            parent.text = (parent.text or "") + on_one_line(child)


def document(root: Element) -> str:
    """Return a page's text."""
    return "<!DOCTYPE html>\n" + tostring(root, encoding="unicode", method="html") + "\n"


def _name(name: str) -> str:
    return name.removesuffix("_").replace("_", "-")


def _value(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
