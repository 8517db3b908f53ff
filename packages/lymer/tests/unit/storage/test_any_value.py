"""What a typed text may mean."""

from __future__ import annotations

import math

import pytest

from lymer.storage.clickhouse.any_value import any_value_meanings
from make import value


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0.0),
        ("0", -0.0),
        ("-0", -0.0),
        ("NaN", math.nan),
        ("NaN", math.copysign(math.nan, -1)),
        ("+Inf", math.inf),
        ("-Inf", -math.inf),
        ("-2.5", -2.5),
        ("1e-9", 1e-9),
    ],
)
def test_every_double_that_is_shown_so_is_meant(text: str, number: float) -> None:
    """Zero and NaN have a sign that is not shown; the others are one double each."""
    assert value(number).SerializeToString() in any_value_meanings(text)
