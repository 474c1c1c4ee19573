"""Read environment files, `.env` and `env_file:`, by Compose's syntax."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tracker_backup.compose.interpolation import interpolate
from tracker_backup.errors import ConfigurationError

_NOTHING: Mapping[str, str] = MappingProxyType({})
_BLANK = re.compile(r"(?:\s|#[^\n]*)*")
_KEY = re.compile(r"(?:export[^\S\n]+)?(?P<key>[\w.\[\]-]+)[^\S\n]*(?P<end>[=:\n]|\Z)")
_SPACES = re.compile(r"[^\S\n]*")
_UNQUOTED = re.compile(r"[^\n]*")
_QUOTED = {
    "'": re.compile(r"'(?P<content>(?:[^'\\]|\\.)*+)'", re.DOTALL),
    '"': re.compile(r'"(?P<content>(?:[^"\\]|\\.)*+)"', re.DOTALL),
}
_MOST_CHARACTERS = 8 * 1024 * 1024
"""More than Linux hands to any program as its environment."""
_ESCAPED_SINGLE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED_DOUBLE = re.compile(r"\\(0[0-9]{0,3}|.)", re.DOTALL)
_OCTAL = re.compile(r"0[0-3][0-7]{2}")
_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "$": "$$",  # the interpolation that comes next makes one of the two
}


@dataclass(frozen=True)
class EnvFile:
    """What an environment file sets; `missing` are the variables it refers to that are not set anywhere."""

    values: dict[str, str] = field(repr=False)
    missing: tuple[str, ...]


def parse_env(text: str, *, file: str, environment: Mapping[str, str] = _NOTHING) -> EnvFile:
    """Parse the text of an environment file; values may refer to `environment` and to values before them.

    A name without `=` is taken from `environment`, or left out. `file` names the file in error messages, which give
    the line and never show what stands in it.
    Raises ConfigurationError for text that Compose would refuse.
    """
    return _Parser(text, file, environment).parse()


def parse_raw_env(text: str, *, file: str, environment: Mapping[str, str] = _NOTHING) -> EnvFile:
    """Parse the text of an environment file of the format `raw`: what stands behind the first = is the value, whole.

    Raises ConfigurationError for a line whose name is empty or has blanks in it.
    """
    values: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.removesuffix("\r").lstrip()
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = stripped.partition("=")
        if not name or re.search(r"\s", name):
            raise ConfigurationError(f"{file}, line {number}: expected NAME=value", hint="comments begin with #")
        if equals:
            values[name] = value
        elif name in environment:
            values[name] = environment[name]
    return EnvFile(values, ())


class _Parser:
    def __init__(self, text: str, file: str, environment: Mapping[str, str]) -> None:
        self._text = text
        self._file = file
        self._environment = dict(environment)
        self._position = 0
        self._line = 1
        self._length = 0
        self._values: dict[str, str] = {}
        self._missing: dict[str, None] = {}  # an ordered set

    def parse(self) -> EnvFile:
        self._take(_BLANK)
        while self._position < len(self._text):
            self._statement()
            self._take(_BLANK)
        return EnvFile(self._values, tuple(self._missing))

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self._text, self._position)
        if match is not None:
            self._position = match.end()
            self._line += match.group().count("\n")
        return match

    def _statement(self) -> None:
        where = f"{self._file}, line {self._line}"
        match = self._take(_KEY)
        if match is None:
            raise ConfigurationError(f"{where}: expected NAME=value", hint="comments begin with #")
        key = match["key"]
        if match["end"] in ("=", ":"):
            self._take(_SPACES)
            self._values[key] = self._value(where)
        elif key in self._environment:
            self._values[key] = self._environment[key]

    def _value(self, where: str) -> str:
        quote = self._text[self._position : self._position + 1]
        if quote not in _QUOTED:
            match = self._take(_UNQUOTED)
            line = match.group() if match else ""
            return self._interpolated(line.partition(" #")[0].rstrip(), where)
        match = self._take(_QUOTED[quote])
        if match is None:
            raise ConfigurationError(f"{where}: the quote {quote} is not closed")
        if quote == "'":
            return _ESCAPED_SINGLE.sub(_unescape_single, match["content"])
        return self._interpolated(_ESCAPED_DOUBLE.sub(_unescape_double, match["content"]), where)

    def _interpolated(self, value: str, where: str) -> str:
        result = interpolate(value, ChainMap(self._environment, self._values), where=where)
        self._missing.update(dict.fromkeys(result.missing))
        self._length += len(result.value)
        if self._length > _MOST_CHARACTERS:
            raise ConfigurationError(f"{where}: the values become longer than {_MOST_CHARACTERS} characters in all")
        return result.value


def _unescape_single(match: re.Match[str]) -> str:
    return "'" if match[1] == "'" else match[0]


def _unescape_double(match: re.Match[str]) -> str:
    if _OCTAL.fullmatch(match[1]):
        return chr(int(match[1], 8))
    return _ESCAPES.get(match[1], match[0])
