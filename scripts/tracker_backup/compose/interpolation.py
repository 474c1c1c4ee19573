"""Fill variables into text as Compose does: `$A`, `${A}`, `${A:-b}`, `${A-b}`, `${A:?m}`, `${A:+b}`, `$$`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tracker_backup.errors import ConfigurationError

MAX_DEPTH = 50
"""How deep defaults may be nested in defaults."""
MAX_LENGTH = 256 * 1024
"""Linux hands a program no variable or argument of half of that."""

_REFERENCE = re.compile(r"\$(?:(?P<escaped>\$)|(?P<named>[A-Za-z_][A-Za-z0-9_]*)|(?P<braced>\{))")
_BRACE = re.compile(r"[{}]")
_BRACED = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<operator>:?[-?+])(?P<rest>.*))?", re.DOTALL)


@dataclass(frozen=True)
class Interpolated:
    """The text with its variables filled in; `used` were found, `missing` were not and became empty."""

    value: str = field(repr=False)
    used: frozenset[str]
    missing: tuple[str, ...]


def interpolate(text: str, variables: Mapping[str, str], *, where: str) -> Interpolated:
    """Fill `variables` into `text`; `where` names the place in error messages.

    A variable that is not set becomes empty and is listed as missing. A default is evaluated only where it is used.
    Raises ConfigurationError for malformed references and for required variables that are not set.
    """
    run = _Interpolation(variables, where)
    value = run.expand(text, 0)
    return Interpolated(value, frozenset(run.used), tuple(run.missing))


class _Interpolation:
    def __init__(self, variables: Mapping[str, str], where: str) -> None:
        self._variables = variables
        self._where = where
        self.used: set[str] = set()
        self.missing: dict[str, None] = {}  # an ordered set

    def expand(self, text: str, depth: int) -> str:
        if depth > MAX_DEPTH:
            raise ConfigurationError(f"{self._where}: more than {MAX_DEPTH} nested ${{...}}")
        parts: list[str] = []
        position = 0
        while match := _REFERENCE.search(text, position):
            parts.append(text[position : match.start()])
            position = match.end()
            if match["escaped"]:
                parts.append("$")
            elif match["named"]:
                parts.append(self._value_or_empty(match["named"]))
            else:
                end = self._closing_brace(text, position)
                parts.append(self._braced(text[position:end], depth))
                position = end + 1
        parts.append(text[position:])
        if sum(map(len, parts)) > MAX_LENGTH:
            # Thirty lines of .env that each name the one before twice would fill any memory.
            raise ConfigurationError(f"{self._where}: the value becomes longer than {MAX_LENGTH} characters")
        return "".join(parts)

    def _closing_brace(self, text: str, start: int) -> int:
        """Return where the brace opened before `start` is closed; braces inside, `{"a": 1}` too, count."""
        depth = 1
        for brace in _BRACE.finditer(text, start):
            depth += 1 if brace.group() == "{" else -1
            if depth == 0:
                return brace.start()
        raise self._malformed()

    def _braced(self, inner: str, depth: int) -> str:
        match = _BRACED.fullmatch(inner)
        if match is None:
            raise self._malformed()
        name, operator, rest = match["name"], match["operator"], match["rest"]
        if operator is None:
            return self._value_or_empty(name)
        value = self._lookup(name)
        # With the colon an empty value counts as none.
        is_set = bool(value) if operator.startswith(":") else value is not None
        if operator.endswith("+"):
            return self.expand(rest, depth + 1) if is_set else ""
        if is_set and value is not None:
            return value
        if operator.endswith("?"):
            raise self._required(name, rest)
        return self.expand(rest, depth + 1)

    def _lookup(self, name: str) -> str | None:
        value = self._variables.get(name)
        if value is not None:
            self.used.add(name)
        return value

    def _value_or_empty(self, name: str) -> str:
        value = self._lookup(name)
        if value is None:
            self.missing[name] = None
            return ""
        return value

    def _malformed(self) -> ConfigurationError:
        # The text itself is not shown: it may hold a password with a bare `${`.
        return ConfigurationError(
            f"{self._where}: malformed ${{...}}", hint="close the brace, or write $$ for a dollar sign that is meant"
        )

    def _required(self, name: str, message: str) -> ConfigurationError:
        said = f": {message}" if message else ""
        return ConfigurationError(
            f"{self._where}: the variable {name} is required and not set{said}",
            hint=f"set {name} in .env: the environment of whoever started the stack is not known here",
        )
