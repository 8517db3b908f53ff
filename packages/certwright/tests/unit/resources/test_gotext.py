"""Texts in Go's forms. The expected values were printed by Go 1.26."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certwright.errors import InvalidError
from certwright.resources.gotext import format_strings, join_csv, quote, split_csv


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plain", '"plain"', id="letters"),
        pytest.param('a"b\\c', r'"a\"b\\c"', id="a quote and a backslash"),
        pytest.param("\a\b\f\n\r\t\v", r'"\a\b\f\n\r\t\v"', id="what has a letter"),
        pytest.param("\x00\x7f", r'"\x00\x7f"', id="other control characters"),
        pytest.param("é한", '"é한"', id="letters that are not ASCII"),
        pytest.param("\u200b\xa0", r'"\u200b\u00a0"', id="what is not seen"),
        pytest.param("\U000e0001", r'"\U000e0001"', id="beyond the first plane"),
        pytest.param("\udcff", r'"\xff"', id="a byte that is not UTF-8"),
    ],
)
def test_quote_is_go_s(text: str, expected: str) -> None:
    """People grep for these texts."""
    assert expected == quote(text)


def test_a_list_of_strings_has_spaces_and_no_commas() -> None:
    """As in the messages of policies."""
    assert format_strings(["spec.dnsNames", "spec.commonName"]) == "[spec.dnsNames spec.commonName]"
    assert format_strings([]) == "[]"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(["a", "b"], "a,b", id="plain"),
        pytest.param(["Acme, Inc."], '"Acme, Inc."', id="a comma"),
        pytest.param(['say "hi"'], '"say ""hi"""', id="quotes"),
        pytest.param([" lead"], '" lead"', id="a space in front"),
        pytest.param(["trail "], "trail ", id="a space behind"),
        pytest.param(["", "x"], ",x", id="an empty field"),
        pytest.param(["\\."], '"\\."', id="the end mark of Postgres"),
        pytest.param(["two\nlines"], '"two\nlines"', id="a line end"),
    ],
)
def test_csv_is_quoted_where_go_quotes(fields: list[str], expected: str) -> None:
    """Annotations of Secrets are compared byte by byte."""
    assert expected == join_csv(fields)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            'a"b', 'parse error on line 1, column 2: bare " in non-quoted-field', id="bare"
        ),
        pytest.param(
            '"a',
            'parse error on line 1, column 3: extraneous or missing " in quoted-field',
            id="open",
        ),
        pytest.param(
            '"a"b',
            'parse error on line 1, column 3: extraneous or missing " in quoted-field',
            id="text behind a quote",
        ),
        pytest.param("a,b\nc", "record on line 2: wrong number of fields", id="uneven"),
        pytest.param(
            '"é\nx"y',
            'record on line 1; parse error on line 2, column 2: extraneous or missing " in'
            " quoted-field",
            id="over two lines",
        ),
    ],
)
def test_what_is_no_csv_is_refused_with_go_s_place(text: str, expected: str) -> None:
    """Columns count bytes."""
    with pytest.raises(InvalidError) as caught:
        split_csv(text)

    assert str(caught.value) == f"failed to parse {quote(text)} as CSV: {expected}"


def test_nothing_and_too_much_are_refused() -> None:
    """One line is one list."""
    with pytest.raises(InvalidError, match='no values found after parsing ""'):
        split_csv("")
    with pytest.raises(InvalidError, match="as it parses as multiple lines of CSV"):
        split_csv("a\nb")


@given(st.lists(st.text(st.characters(exclude_characters="\r", codec="utf-8")), min_size=1))
def test_what_is_joined_is_split_again(fields: list[str]) -> None:
    """A lone empty field is an empty line, which is no record."""
    if fields == [""]:
        return
    assert fields == split_csv(join_csv(fields))


@given(st.text())
def test_any_text_is_split_or_refused(text: str) -> None:
    """No annotation crashes a loop."""
    try:
        fields = split_csv(text)
    except InvalidError:
        return
    assert fields
