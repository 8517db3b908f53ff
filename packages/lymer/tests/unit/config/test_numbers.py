"""The rule of numbers with a fraction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymer.config.rules import number

SHARE = number(0, 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1.0), ("0.001", 0.001), (" .5 ", 0.5), ("1.", 1.0), ("1e-5", 1e-5), ("0", 0.0)],
)
def test_numbers_are_read(text: str, value: float) -> None:
    """As people write them."""
    assert value == SHARE.decode(text)


@pytest.mark.parametrize(
    "text", ["", "-0.1", "1.1", "nan", "inf", "1e999", "0x1", "1_0", "50%", "0." + "0" * 50]
)
def test_others_are_refused(text: str) -> None:
    """Beyond the range, or no number."""
    with pytest.raises(ValueError):  # noqa: PT011 - the rule's `expected` says what is wrong
        SHARE.decode(text)


@given(st.floats(0, 1))
def test_a_number_survives(value: float) -> None:
    """What `encode` writes is read back."""
    assert value == SHARE.decode(str(SHARE.encode(value)))


def test_it_says_its_range() -> None:
    """In the message and in the schema."""
    rate = number(0.01, 1e6, "traces a second")

    assert rate.expected == "a number of traces a second from 0.01 to 1e+06"
    assert {"type": "number", "minimum": 0.01, "maximum": 1e6} == rate.schema
