"""What a YAML document stands for, before anything is made of it: how deep it is, and how large with its aliases."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yaml import Node

_DEEPEST = 200


def require_shallow(text: str | bytes, loader: Any) -> None:
    """Raise RecursionError where lists and mappings are nested more deeply than anybody writes them.

    The fast loader does not look where its own stack ends, and the whole program would die of it without a word.
    """
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise RecursionError("lists or mappings are nested too deeply")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def parts(node: Node) -> list[Node]:
    """Return the nodes directly below a node: a mapping's keys and values, a list's items."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


class Weighing:
    """Reckons how many values a document stands for: with aliases of aliases, and merges of them, a small one is huge.

    `most` is how many are allowed; `refused` makes the error for a node and what is wrong with it; `below` may look at
    a node while it returns its parts.
    """

    def __init__(
        self, most: int, refused: Callable[[Node, str], Exception], below: Callable[[Node], Iterable[Node]] = parts
    ) -> None:
        """Begin with nothing weighed."""
        self._most = most
        self._refused = refused
        self._below = below
        self._weights: dict[int, int] = {}
        self._open: set[int] = set()

    def weigh(self, node: Node) -> int:
        """Return how many values a node stands for; raises what `refused` makes where that is too much, or endless."""
        known = self._weights.get(id(node))
        if known is not None:
            return known
        if id(node) in self._open:
            raise self._refused(node, "the value contains itself")
        self._open.add(id(node))
        weight = 1 + sum(map(self.weigh, self._below(node)))
        self._open.remove(id(node))
        if weight > self._most:
            raise self._refused(node, f"it stands for more than {self._most} values")
        self._weights[id(node)] = weight
        return weight
