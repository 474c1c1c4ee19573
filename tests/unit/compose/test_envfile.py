from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker_backup.compose.envfile import parse_env, parse_raw_env
from tracker_backup.errors import ConfigurationError

pytestmark = pytest.mark.guarantee(14)


def values(text: str, **environment: str) -> dict[str, str]:
    return parse_env(text, file=".env", environment=environment).values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("\n \t\n# comment\n  # another\n", {}),
        ("A=1", {"A": "1"}),
        ("A=1\r\nB='2'\r\n", {"A": "1", "B": "2"}),
        ("  A = 1  ", {"A": "1"}),
        ("A: 1", {"A": "1"}),
        ("A=", {"A": ""}),
        ("A=\nB=2", {"A": "", "B": "2"}),
        ("A=''\nB=\"\"", {"A": "", "B": ""}),
        ("export A=1\nexport\tB=2\nexported=3", {"A": "1", "B": "2", "exported": "3"}),
        ("A=1\nA=2", {"A": "2"}),
        ("A=b=c==", {"A": "b=c=="}),
        ("A=one two", {"A": "one two"}),
        ("A=1 # comment", {"A": "1"}),
        ("A=1# no comment", {"A": "1# no comment"}),
        ("A=1\t# no comment, Compose wants a space", {"A": "1\t# no comment, Compose wants a space"}),
        ("A='1' # comment", {"A": "1"}),
        ('A="1" # comment\nB=2', {"A": "1", "B": "2"}),
        ("A='# no comment'", {"A": "# no comment"}),
        ("A='two\nlines'\nB=2", {"A": "two\nlines", "B": "2"}),
        ('A="two\nlines"\nB=2', {"A": "two\nlines", "B": "2"}),
        ("A='it\\'s'", {"A": "it's"}),
        (r"A='a\nb \\ \$X $X ${X}'", {"A": r"a\nb \\ \$X $X ${X}"}),
        (r'A="say \"hi\""', {"A": 'say "hi"'}),
        (r'A="a\nb\tc\\d\re"', {"A": "a\nb\tc\\d\re"}),
        (r'A="\a\b\f\v"', {"A": "\a\b\f\v"}),
        (r'A="\x \q \0123 \012"', {"A": r"\x \q S \012"}),
        (r'A="\$X and $$X"', {"A": "$X and $X"}),
        ('A=it\'s "fine"', {"A": 'it\'s "fine"'}),
        ("A=1\nB=$A\nC=${A}2\nD=\"<$A>\"\nE='<$A>'", {"A": "1", "B": "1", "C": "12", "D": "<1>", "E": "<$A>"}),
        ("A=${B:-x}\nB=2", {"A": "x", "B": "2"}),
        ("A=$$5", {"A": "$5"}),
        ("A.b-c[0]=1", {"A.b-c[0]": "1"}),
        ("NAME_WITHOUT_VALUE\nB=2", {"B": "2"}),
        ("ÄPFEL=rötlich", {"ÄPFEL": "rötlich"}),
    ],
)
def test_reads_compose_s_syntax(text: str, expected: dict[str, str]) -> None:
    assert values(text) == expected


def test_password_with_every_special_character() -> None:
    assert values(r"""A='p@ss:w/rd#%"\'$ 1'""") == {"A": "p@ss:w/rd#%\"'$ 1"}


def test_the_given_environment_goes_first_in_references_and_fills_bare_names() -> None:
    assert values("A=own\nB=$A\nC\nD\n", A="given", C="passed") == {"A": "own", "B": "given", "C": "passed"}


def test_missing_variables_are_listed() -> None:
    assert parse_env("A=$GONE\nB=${A}$GONE", file=".env").missing == ("GONE",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\n\ntwo words=2", ".env, line 3: expected NAME=value"),
        ("A='1\n2'\n# c\n!B=3", ".env, line 4: expected NAME=value"),
        ("A=1\n=2", ".env, line 2: expected NAME=value"),
        ("A=1\nB='open\nC=3\n", ".env, line 2: the quote ' is not closed"),
        ('A="open\\"', '.env, line 1: the quote " is not closed'),
        ("A=1\nB=${", ".env, line 2: malformed"),
        ("A=${B:?tell me}", ".env, line 1: the variable B is required and not set: tell me"),
    ],
)
def test_errors_name_file_and_line(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{re.escape(message)}"):
        values(text)


@pytest.mark.parametrize("text", ["A=1\ncanary pass word\n", "A='canary", 'A="canary ${', "canary!=1", "A=${canary"])
def test_errors_do_not_show_what_stands_in_the_file(text: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        values(text)
    assert "canary" not in str(error.value)


def test_values_are_not_in_the_repr() -> None:
    assert "canary" not in repr(parse_env("A=canary", file=".env"))


def test_a_large_file_takes_no_square_of_its_size() -> None:
    """Also quadratic work on 50,000 lines would be seen: the test would not end."""
    text = "".join(f"NAME_{number}='value {number}'\n" for number in range(50_000))
    assert len(values(text)) == 50_000


@given(st.text())
def test_single_quotes_keep_a_value_to_the_letter(value: str) -> None:
    """All but a backslash at the end, or before a quote, which single quotes cannot express."""
    written = value.replace("\\", "/").replace("'", "\\'")
    assert values(f"A='{written}' # c\nB=2") == {"A": value.replace("\\", "/"), "B": "2"}


@given(st.text())
def test_double_quotes_keep_any_value(value: str) -> None:
    written = re.sub(r'([\\"$])', r"\\\1", value)
    assert values(f'A="{written}"\nB=2') == {"A": value, "B": "2"}


PIECES = st.lists(
    st.sampled_from(["A", "B=", "=", ":", "'", '"', "\\", "$", "{", "}", "#", " ", "\n", "\r\n", "export ", "é", "-"])
).map("".join)


@given(PIECES | st.text())
def test_any_text_gives_values_or_a_configuration_error(text: str) -> None:
    try:
        result = parse_env(text, file=".env")
    except ConfigurationError:
        return
    assert all(isinstance(value, str) for value in result.values.values())


def test_the_raw_format_takes_values_as_they_stand() -> None:
    text = """# comment
  A='1' # no comment
B=$A
C=

export D=1
PASSED
UNKNOWN
E=a=b\r
"""
    with pytest.raises(ConfigurationError, match=r"f, line 6: expected NAME=value"):
        parse_raw_env(text, file="f")
    parsed = parse_raw_env(text.replace("export ", ""), file="f", environment={"PASSED": "p"})
    assert parsed.values == {
        "A": "'1' # no comment",
        "B": "$A",
        "C": "",
        "D": "1",
        "PASSED": "p",
        "E": "a=b",
    }
