"""An HTML page as a test reads it: a tree of elements, made by the standard library's parser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "link", "img", "input", "hr", "base", "source", "embed"}


@dataclass
class Node:
    """An element: its attributes, and the texts and elements in it."""

    tag: str
    attributes: dict[str, str]
    children: list[Node | str] = field(default_factory=list)

    def text(self) -> str:
        """Return all text in it, with single blanks."""
        parts = [child if isinstance(child, str) else child.text() for child in self.children]
        return " ".join(" ".join(parts).split())

    def walk(self) -> Iterator[Node]:
        """Yield it, and all elements in it."""
        yield self
        for child in self.children:
            if isinstance(child, Node):
                yield from child.walk()

    def all(self, tag: str, **attributes: str) -> list[Node]:
        """Return the elements of a kind in it; `class_` and `aria_label` are attributes, a class one of several."""
        wanted = {name.removesuffix("_").replace("_", "-"): value for name, value in attributes.items()}
        return [node for node in self.walk() if node.tag == tag and all(node.has(*item) for item in wanted.items())]

    def one(self, tag: str, **attributes: str) -> Node:
        """Return the only element of a kind in it."""
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} {tag} {attributes}"
        return found[0]

    def has(self, name: str, value: str) -> bool:
        """Return whether an attribute has a value, or a class is among its classes."""
        given = self.attributes.get(name)
        return given is not None and (value in given.split() if name == "class" else given == value)

    def rows(self) -> list[dict[str, str]]:
        """Return a table's rows, each cell under its column's heading."""
        heading = [cell.text() for cell in self.one("thead").all("th")]
        rows = [[node for node in row.walk() if node.tag in {"th", "td"}] for row in self.one("tbody").all("tr")]
        return [dict(zip(heading, (cell.text() for cell in row), strict=True)) for row in rows]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), f"an attribute of {tag} stands there twice"
        node = Node(tag, {name: value or "" for name, value in attributes})
        self._open[-1].children.append(node)
        if tag not in VOID:
            self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"{tag} ends within {self._open[-1].tag}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)

    def finished(self) -> Node:
        assert self._open == [self.root], f"{self._open[-1].tag} does not end"
        return self.root.one("html")


def read_page(text: str) -> Node:
    """Return the page's tree; fails where an element is not closed in its order."""
    assert text.startswith("<!DOCTYPE html>\n")
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.finished()
