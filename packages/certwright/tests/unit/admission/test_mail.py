"""E-mail addresses as Go's net/mail reads them; texts were printed by Go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certwright.admission.mail import parse_address
from certwright.errors import InvalidError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        pytest.param("a@b", "a@b", id="plain"),
        pytest.param("o'neil+x@mail.example.com", "o'neil+x@mail.example.com", id="odd letters"),
        pytest.param("Barry Gibbs <bg@example.com>", "bg@example.com", id="a display name"),
        pytest.param('"Gibbs, B." <bg@example.com>', "bg@example.com", id="a quoted name"),
        pytest.param("<bg@example.com>", "bg@example.com", id="in brackets"),
        pytest.param(' "a b"@c (comment (nested)) ', "a b@c", id="quoted local part, a comment"),
        pytest.param("é@한.example", "é@한.example", id="not ASCII"),
        pytest.param("g:a@b;", "a@b", id="a group of one"),
    ],
)
def test_what_go_takes(text: str, address: str) -> None:
    """The address comes without its name."""
    assert address == parse_address(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "mail: no address", id="nothing"),
        pytest.param("abc", "mail: missing '@' or angle-addr", id="no at"),
        pytest.param("Full Name", "mail: no angle-addr", id="a name alone"),
        pytest.param("a@", "mail: missing '@' or angle-addr", id="no domain"),
        pytest.param("a@b@c", 'mail: expected single address, got "@c"', id="two ats"),
        pytest.param("a@b, c@d", 'mail: expected single address, got ", c@d"', id="two"),
        pytest.param("<a@b", "mail: unclosed angle-addr", id="open bracket"),
        pytest.param("<a b>", "mail: missing @ in addr-spec", id="a space"),
        pytest.param("<.a@b>", "mail: leading dot in atom", id="dot in front"),
        pytest.param("<a..a@b>", "mail: double dot in atom", id="two dots"),
        pytest.param("<a.@b>", "mail: trailing dot in atom", id="dot behind"),
        pytest.param('<""@b>', "mail: empty quoted string in addr-spec", id="empty quotes"),
        pytest.param("<a@[b]>", 'mail: invalid IP address in domain-literal: "b"', id="no address"),
        pytest.param("<a@[192.0.2.1", "mail: unclosed domain-literal", id="open literal"),
        pytest.param("a@b (c", "mail: misformatted parenthetical comment", id="open comment"),
        pytest.param("g:;", "mail: empty group", id="empty group"),
        pytest.param("g:a@b,c@d;", "mail: group with multiple addresses", id="group of two"),
        pytest.param(
            '"\x01',
            r"mail: missing word in phrase: mail: bad character in quoted-string: '\x01'",
            id="a control character",
        ),
        pytest.param("@", "mail: missing word in phrase: mail: invalid string", id="only an at"),
    ],
)
def test_what_go_refuses(text: str, expected: str) -> None:
    """The webhook shows this text."""
    with pytest.raises(InvalidError) as caught:
        parse_address(text)

    assert expected == str(caught.value)


@given(st.text(alphabet='ab.@"<>() \t\\:;,é'))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    """No address crashes the webhook."""
    try:
        address = parse_address(text)
    except InvalidError:
        return
    assert "@" in address
