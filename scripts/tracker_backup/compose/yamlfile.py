"""Parse YAML as Compose does: plain scalars stay as they are written, keys are not repeated."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from tracker_backup.errors import ConfigurationError
from tracker_backup.system.yamlnodes import Weighing, parts, require_shallow

if TYPE_CHECKING:
    from yaml import MarkedYAMLError, Node

_NULL_TAG = "tag:yaml.org,2002:null"
_BOOLEAN_TAG = "tag:yaml.org,2002:bool"
_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
_BOOLEAN = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_MERGE = re.compile(r"^<<$")
_OVERRIDE_TAG, _RESET_TAG = "!override", "!reset"
_MOST_VALUES = 100_000
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True)
class Replacing:
    """What stands behind the tag !override, or None behind !reset: it replaces what earlier files say."""

    value: Any = field(repr=False)


def parse_yaml(text: str, *, file: str) -> Any:
    """Return the document as dictionaries, lists, strings, booleans and None; anchors and merges are resolved.

    The values of !override and !reset are `Replacing`.
    Numbers and dates stay strings: `22:22`, `0777` and `1.10` mean in YAML 1.1 what nobody wrote them for.
    Raises ConfigurationError with file and line, and without what stands there: it may be a password.
    """
    from yaml import MarkedYAMLError, YAMLError

    try:
        return _load(text, file)
    except MarkedYAMLError as error:
        raise _explained(error, file) from None
    except (YAMLError, ValueError, TypeError, RecursionError):
        raise ConfigurationError(f"{file}: not valid YAML", hint=_hint(file)) from None


def _load(text: str, file: str) -> Any:
    require_shallow(text, _loader_class())
    loader = _loader_class()(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check_nodes(node, file)
        Weighing(_MOST_VALUES, lambda place, problem: _refused(place, problem, file)).weigh(node)
        return loader.construct_document(node)
    finally:
        loader.dispose()


@cache
def _loader_class() -> Any:
    """Return a safe loader, the fast one if there is one, that guesses no types but null, booleans and merges."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader: Any = type("ComposeLoader", (base,), {"yaml_implicit_resolvers": {}})
    loader.add_implicit_resolver(_NULL_TAG, _NULL, ["~", "n", "N", ""])
    loader.add_implicit_resolver(_BOOLEAN_TAG, _BOOLEAN, list("tTfF"))
    loader.add_implicit_resolver("tag:yaml.org,2002:merge", _MERGE, ["<"])
    loader.add_constructor(_OVERRIDE_TAG, _replacing)
    loader.add_constructor(_RESET_TAG, lambda _loader, _node: Replacing(None))
    return loader


def _replacing(loader: Any, node: Node) -> Replacing:
    import yaml

    if isinstance(node, yaml.MappingNode):
        return Replacing(loader.construct_mapping(node, deep=True))
    if isinstance(node, yaml.SequenceNode):
        return Replacing(loader.construct_sequence(node, deep=True))
    return Replacing(node.value)


def _check_nodes(root: Node, file: str) -> None:
    """Raise ConfigurationError for a key that stands twice in one mapping, and for tags that Compose does not know."""
    import yaml

    waiting: list[Node] = [root]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue  # an alias
        seen.add(id(node))
        if node.tag.startswith("!") and node.tag not in (_OVERRIDE_TAG, _RESET_TAG):
            raise _refused(node, "a tag that is neither !reset nor !override", file)
        if isinstance(node, yaml.MappingNode):
            _check_keys(node, file)
        waiting.extend(parts(node))


def _check_keys(mapping: Node, file: str) -> None:
    """Raise ConfigurationError for a repeated key, and let `TRUE:` and `NULL:` be names like others."""
    keys: set[str] = set()
    for key, _ in mapping.value:
        if isinstance(key.value, str):
            if key.tag in (_BOOLEAN_TAG, _NULL_TAG):
                key.tag = "tag:yaml.org,2002:str"
            if key.value in keys:
                raise _refused(key, f"the key {key.value!r} is there twice", file)
            keys.add(key.value)


def _refused(node: Node, problem: str, file: str) -> ConfigurationError:
    return ConfigurationError(f"{file}, line {node.start_mark.line + 1}: {problem}", hint=_hint(file))


def _explained(error: MarkedYAMLError, file: str) -> ConfigurationError:
    mark = error.problem_mark or error.context_mark
    line = f", line {mark.line + 1}" if mark else ""
    # What the parser quotes, an alias or a tag, may be a password that begins with * or !.
    problem = _QUOTED.sub("...", error.problem) if error.problem else "cannot be parsed"
    return ConfigurationError(f"{file}{line}: not valid YAML: {problem}", hint=_hint(file))


def _hint(file: str) -> str:
    return f"`docker compose -f {shlex.quote(file)} config --quiet` shows what Compose makes of it"
