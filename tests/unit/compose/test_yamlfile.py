from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker_backup.compose.yamlfile import parse_yaml
from tracker_backup.errors import ConfigurationError

pytestmark = pytest.mark.guarantee(14)


def test_plain_scalars_stay_as_they_are_written() -> None:
    document = parse_yaml(
        "[22:22, 0777, 1.10, 2026-11-23, yes, on, 0x1F, true, False, ~, null, 'true', .inf]", file="f"
    )
    assert document == [
        *("22:22", "0777", "1.10", "2026-11-23", "yes", "on", "0x1F"),
        *(True, False, None, None, "true", ".inf"),
    ]


def test_anchors_and_merges_are_resolved() -> None:
    text = """
x-a: &a {restart: always, image: base}
x-b: &b {<<: *a, tty: true}
services:
  one: {<<: *b, image: own}
  two: {<<: [*a, {image: second, extra: x}]}
"""
    document = parse_yaml(text, file="f")
    assert document["services"] == {
        "one": {"restart": "always", "image": "own", "tty": True},
        "two": {"restart": "always", "image": "base", "extra": "x"},
    }


def test_tags_that_replace_are_marked() -> None:
    text = "a: !reset null\nb: !override {<<: {x: 1}, y: [2]}\nc: !override [true, 0777]\n"
    text += "d: !override text\ne: !reset {f: 1}\n"
    document = parse_yaml(text, file="f")
    assert {key: value.value for key, value in document.items()} == {
        "a": None,
        "b": {"x": "1", "y": ["2"]},
        "c": [True, "0777"],
        "d": "text",
        "e": None,
    }
    assert "text" not in repr(document)


def test_an_empty_file_is_none() -> None:
    assert parse_yaml("# only a comment\n", file="f") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [1\nc: 2\n", "f.yaml, line 3: not valid YAML"),
        ("a: 1\n\tb: 2\n", "f.yaml, line 2: not valid YAML"),
        ("a: *gone\n", "f.yaml, line 1: not valid YAML: found undefined alias"),
        ("a: 1\n---\nb: 2\n", "f.yaml, line 2: not valid YAML"),
        ("a: 1\nb: 2\na: 3\n", "f.yaml, line 3: the key 'a' is there twice"),
        ("a:\n  - !other null\n", "f.yaml, line 2: a tag that is neither !reset nor !override"),
        ("a: !!python/object/apply:os.system [x]\n", "f.yaml, line 1: not valid YAML"),
        ("? [1]\n: 2\n", "f.yaml, line 1: not valid YAML"),
        ("a: \x01\n", "f.yaml: not valid YAML"),
        ("[" * 5000, "f.yaml"),
    ],
)
def test_errors_name_file_and_line(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        parse_yaml(text, file="f.yaml")
    assert error.value.message.startswith(message)


@pytest.mark.parametrize(
    "text", ["a: *canary\n", "a: !canary x\n", "a: %canary\n", "a: 'canary\n", "a: {canary\n", "@canary"]
)
def test_errors_do_not_show_what_stands_there(text: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        parse_yaml(text, file="f.yaml")
    assert "canary" not in str(error.value)


def test_the_same_key_after_a_merge_is_no_repetition() -> None:
    text = "x: &x {a: 1}\ny: &y {<<: *x, a: 2}\nz: {<<: *y, a: 3}\n"
    assert parse_yaml(text, file="f")["z"] == {"a": "3"}


@given(
    st.text()
    | st.lists(
        st.sampled_from(["a", ":", " ", "\n", "- ", "&x", "*x", "<<", "[", "]", "{", "}", "!", "'", "?", "~"])
    ).map("".join)
)
def test_any_text_gives_a_document_or_a_configuration_error(text: str) -> None:
    with contextlib.suppress(ConfigurationError):
        parse_yaml(text, file="f.yaml")
