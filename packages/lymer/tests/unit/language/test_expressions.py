"""Expressions from outside that Python matches itself."""

from __future__ import annotations

import time

import pytest

from lymer.errors import QuestionError
from lymer.language.expressions import compiled


@pytest.mark.parametrize(
    ("text", "value", "matches"),
    [
        ("cart", "cart", True),
        ("cart|shop", "shop", True),
        ("(?i).*Cart.*", "a cart", True),
        (r"v1\.[0-9]+", "v1.20", True),
        (r"^(?:get|post) /\w+$", "get /cart", True),
        ("[*+?{]x", "*x", True),
        ("", "a", False),
    ],
)
def test_usual_expressions(text: str, value: str, *, matches: bool) -> None:
    """As people write them."""
    assert (compiled(text).fullmatch(value) is not None) is matches


@pytest.mark.parametrize(
    "text",
    [
        "(a+)+$", "(a|a)*b", "(?:a?){50}a", "a*a*a*b", "a?" * 5, r"(a*)\1", "(" * 900, "[", "(",
        "*", "a{99999999999}", "x" * 1_001,
    ],
)  # fmt: skip
def test_what_could_be_slow_or_is_none_is_refused(text: str) -> None:
    """With a sentence, at once."""
    with pytest.raises(QuestionError):
        compiled(text)


@pytest.mark.parametrize("text", ["a*a*b", ".*a.*", "a?a?a?a?aaaa", "(a|b)a*(b|a)b"])
def test_what_is_allowed_is_quick(text: str) -> None:
    """On the text that takes it longest."""
    begun = time.process_time()
    compiled(text).fullmatch("a" * 2_000)
    assert time.process_time() - begun < 0.5
