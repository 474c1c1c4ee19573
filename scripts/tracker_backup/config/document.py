"""Read a configuration's YAML, with everything refused that could not have been meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracker_backup.errors import ConfigurationError
from tracker_backup.system.yamlnodes import Weighing, parts, require_shallow

if TYPE_CHECKING:
    from yaml import Node, YAMLError

MOST_BYTES = 1024 * 1024
_MOST_VALUES = 10_000


def parse_document(data: bytes, where: str) -> Any:
    """Return the document in `data`; `where` names the file in messages.

    Raises ConfigurationError, with the line where it is known and never with a value: it may be a secret.
    """
    import yaml  # 16 ms, which --version and --help need not pay

    if len(data) > MOST_BYTES:
        raise ConfigurationError(f"{where}: larger than {MOST_BYTES} bytes: is it a configuration?")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        require_shallow(data, loader)
        reader = loader(data)
        try:
            root = reader.get_single_node()
            if root is None:
                raise ConfigurationError(f"{where}: the file is empty", hint="it needs `stack` and `repository`")
            _Inspector(where).inspect(root)
            return reader.construct_document(root)
        finally:
            reader.dispose()
    except yaml.YAMLError as error:
        raise _explained(error, where) from None
    except RecursionError:
        raise ConfigurationError(f"{where}: lists or mappings are nested too deeply") from None
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        # What the library lets through for values such as 2026-99-99, 0x_ or !!bool perhaps.
        raise ConfigurationError(
            f"{where}: not valid YAML: a value looks like a number or a date, and is none", hint="put it in quotes"
        ) from error


class _Inspector:
    """Looks at a document before its values are made."""

    def __init__(self, where: str) -> None:
        self._where = where

    def inspect(self, root: Node) -> None:
        """Raise ConfigurationError for a key that is there twice, for what contains itself, and for too much of it."""
        Weighing(_MOST_VALUES, self._refused, self._children).weigh(root)

    def _children(self, node: Node) -> list[Node]:
        import yaml

        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, _ in node.value:
                if isinstance(key.value, str) and key.value in seen:
                    raise self._refused(key, "the key is there twice; the second would silently replace the first")
                seen.add(str(key.value))
        return parts(node)

    def _refused(self, node: Node, problem: str) -> ConfigurationError:
        return ConfigurationError(f"{self._where}, line {node.start_mark.line + 1}: {problem}")


def _explained(error: YAMLError, where: str) -> ConfigurationError:
    mark = getattr(error, "problem_mark", None)
    line = f", line {mark.line + 1}" if mark is not None else ""
    # Tags and aliases that the library quotes may be half of a secret: what stands in quotes is not passed on.
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
    return ConfigurationError(f"{where}{line}: not valid YAML: {str(problem).partition(chr(39))[0].rstrip()}")
