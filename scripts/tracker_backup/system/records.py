"""Dataclasses made of JSON that somebody else may have written: each value of the type that it is declared with.

What is read from a file is used much later, and far from whoever could say which file is damaged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

_Record = TypeVar("_Record")

_MOST = 2**63
"""No size, time or count of ours comes near it; beyond, not every number can be reckoned with or printed."""
_DEEPEST = 20


def made(kind: type[_Record], item: Any, *, strict: bool = False, closed: bool = False) -> _Record:
    """Make a dataclass of what it knows of a JSON object, whose other keys are passed over.

    With `strict` every field has to be there, also one that has a default; with `closed` no other key may be.

    Raises TypeError for what is missing, for a value of another type than the field's, and for what is no object.
    """
    if not isinstance(item, dict):
        raise TypeError("it is not an object")
    declared = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]  # every kind is a dataclass
    values = {name: item[name] for name in declared if name in item}
    for name, value in values.items():
        if not _KINDS[str(declared[name].type)](value):
            raise TypeError(f"{name} is of another type")
    missing = [
        name
        for name, each in declared.items()
        if name not in values and (strict or (each.default is MISSING and each.default_factory is MISSING))
    ]
    if closed and item.keys() - declared.keys():
        raise TypeError(f"{', '.join(sorted(item.keys() - declared.keys()))} is not known")
    if missing:
        raise TypeError(f"{', '.join(missing)} is missing")
    return kind(**values)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST


def _is_number(value: object) -> bool:
    # Neither infinite nor "not a number", which compares with nothing.
    return isinstance(value, int | float) and not isinstance(value, bool) and -_MOST < value < _MOST


def _is_object(value: object) -> bool:
    return isinstance(value, dict) and not _nested(value, _DEEPEST)


def _nested(value: object, deepest: int) -> bool:
    """Tell whether lists and objects are nested more deeply than that: what copies them would not come to an end."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return deepest == 0 or any(_nested(item, deepest - 1) for item in inner)


def _or_none(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or check(value)


def _object_of(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def _several(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, tuple) and all(map(check, value))


def _listed(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _is_made(_value: object) -> bool:
    return True  # of what has been looked at


_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "str": _is_text,
    "str | None": _or_none(_is_text),
    "bool": lambda value: isinstance(value, bool),
    "int": _is_whole,
    "int | None": _or_none(_is_whole),
    "float": _is_number,
    "Rows": _object_of(_object_of(_is_whole)),
    "Mapping[str, Any]": _is_object,
    "Mapping[str, Any] | None": _or_none(_is_object),
    "Mapping[str, int]": _object_of(_is_whole),
    "Mapping[str, int] | None": _or_none(_object_of(_is_whole)),
    "Mapping[str, str]": _object_of(_is_text),
    "Mapping[str, float]": _object_of(_is_number),
    "list[str]": _listed(_is_text),
    "list[Mapping[str, Any]]": _listed(_is_object),
    "tuple[str, ...]": _several(_is_text),
    "tuple[Mapping[str, Any], ...]": _several(_is_object),
    **dict.fromkeys(("tuple[Artifact, ...]", "tuple[Failure, ...]"), _is_made),
    **dict.fromkeys(("tuple[Part, ...]", "tuple[Stopped, ...]"), _is_made),
}
"""For each type that a dataclass may declare: whether a value read from JSON is of it."""
