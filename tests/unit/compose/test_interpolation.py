from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker_backup.compose.interpolation import MAX_DEPTH, interpolate
from tracker_backup.errors import ConfigurationError

pytestmark = pytest.mark.guarantee(14)

VARIABLES = {"A": "alpha", "EMPTY": "", "B_2": "beta", "_x": "low"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("no variables", "no variables"),
        ("$A", "alpha"),
        ("${A}", "alpha"),
        ("x${A}y${B_2}z$_x", "xalphaybetazlow"),
        ("$A.B", "alpha.B"),
        ("$$A", "$A"),
        ("$${A}", "${A}"),
        ("$$$A", "$alpha"),
        ("$", "$"),
        ("5 $ and $(date) and $1 and $-", "5 $ and $(date) and $1 and $-"),
        ("${EMPTY}", ""),
        ("${EMPTY:-default}", "default"),
        ("${EMPTY-default}", ""),
        ("${UNSET:-default}", "default"),
        ("${UNSET-default}", "default"),
        ("${A:-default}", "alpha"),
        ("${A-default}", "alpha"),
        ("${UNSET:-}", ""),
        ("${A:+other}", "other"),
        ("${A+other}", "other"),
        ("${EMPTY:+other}", ""),
        ("${EMPTY+other}", "other"),
        ("${UNSET:+other}", ""),
        ("${UNSET+other}", ""),
        ("${A:?message}", "alpha"),
        ("${A?message}", "alpha"),
        ("${EMPTY?message}", ""),
        ("${UNSET:-${A}}", "alpha"),
        ("${UNSET:-${EMPTY:-${B_2}}}/x", "beta/x"),
        ("${UNSET:-a-b:?c+d}", "a-b:?c+d"),
        ("${UNSET:-/srv/$A}", "/srv/alpha"),
        ('${UNSET:-{"a": {"b": 1}}}!', '{"a": {"b": 1}}!'),
        ("${A:+$$}", "$"),
        ("${UNSET:-two\nlines}", "two\nlines"),
    ],
)
def test_fills_in_variables_as_compose_does(text: str, expected: str) -> None:
    assert interpolate(text, VARIABLES, where="here").value == expected


def test_a_missing_variable_is_empty_and_listed_once() -> None:
    result = interpolate("$GONE/${GONE}/${ALSO}", VARIABLES, where="here")
    assert result.value == "//"
    assert result.missing == ("GONE", "ALSO")


def test_a_variable_with_a_default_is_not_missing() -> None:
    assert interpolate("${GONE:-x}${GONE+y}", VARIABLES, where="here").missing == ()


def test_the_variables_used_are_told() -> None:
    assert interpolate("$A ${B_2:-x} $GONE", VARIABLES, where="here").used == {"A", "B_2"}


@pytest.mark.parametrize("text", ["${EMPTY:?say so}", "${UNSET:?say so}", "${UNSET?say so}"])
def test_a_required_variable_that_is_not_set_is_an_error_with_its_message(text: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^compose\.yaml: volumes: the variable \w+ is required.*: say so"
    ) as e:
        interpolate(text, VARIABLES, where="compose.yaml: volumes")
    assert e.value.hint
    assert ".env" in e.value.hint


def test_a_default_that_is_not_used_may_hold_what_is_required_elsewhere() -> None:
    assert interpolate("${A:-${UNSET:?say so}}", VARIABLES, where="here").value == "alpha"


@pytest.mark.parametrize("text", ["${", "${A", "${}", "${ A}", "${A/x/y}", "${1A}", "${A:}", "${A:-${B_2}", "a ${-x}"])
def test_malformed_references_are_refused_without_showing_the_text(text: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        interpolate(text + " canary", VARIABLES, where="here")
    assert "here: malformed" in str(error.value)
    assert "canary" not in str(error.value)


def test_nesting_has_an_end() -> None:
    text = "${X:-" * (MAX_DEPTH + 2) + "}" * (MAX_DEPTH + 2)
    with pytest.raises(ConfigurationError, match="nested"):
        interpolate(text, {}, where="here")


def test_the_value_is_not_in_the_repr() -> None:
    assert "alpha" not in repr(interpolate("$A", VARIABLES, where="here"))


TEMPLATES = st.lists(
    st.sampled_from(["$", "${", "}", "{", "A", "EMPTY", "UNSET", ":", "-", "?", "+", ":-", ":?", "$$", " ", "é", "\n"])
).map("".join)


@given(TEMPLATES | st.text())
def test_any_text_gives_text_or_a_configuration_error(text: str) -> None:
    try:
        result = interpolate(text, VARIABLES, where="here")
    except ConfigurationError:
        return
    assert isinstance(result.value, str)


@given(st.text())
def test_doubled_dollar_signs_give_the_text_back(text: str) -> None:
    assert interpolate(text.replace("$", "$$"), VARIABLES, where="here").value == text


@given(st.text())
def test_what_a_variable_holds_is_not_interpolated_again(value: str) -> None:
    assert interpolate("<${V}>", {"V": value}, where="here").value == f"<{value}>"
