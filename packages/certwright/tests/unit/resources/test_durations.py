"""Durations in Go's form. The expected values were printed by Go 1.26."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certwright.errors import InvalidError
from certwright.resources.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        pytest.param("2160h0m0s", 7_776_000_000_000_000, id="as Go writes it"),
        pytest.param("2160h", 7_776_000_000_000_000, id="as people write it"),
        pytest.param("0", 0, id="zero needs no unit"),
        pytest.param("-1.5h", -5_400_000_000_000, id="a sign and a fraction"),
        pytest.param("+5m", 300_000_000_000, id="a plus"),
        pytest.param(".5s", 500_000_000, id="no digit before the point"),
        pytest.param("5.s", 5_000_000_000, id="no digit behind the point"),
        pytest.param("1h15m30.918273645s", 4_530_918_273_645, id="nanoseconds"),
        pytest.param("3us3µs3μs", 9_000, id="three ways to write micro"),
        pytest.param("1s1s", 2_000_000_000, id="a unit twice"),
        pytest.param("9223372036854775807ns", (1 << 63) - 1, id="the longest"),
        pytest.param("-9223372036854775808ns", -(1 << 63), id="the most negative"),
        pytest.param("0.3333333333333333333h", 1_200_000_000_000, id="more digits than count"),
    ],
)
def test_a_duration_is_read_as_by_go(text: str, nano: int) -> None:
    """Whatever time.ParseDuration takes is taken."""
    assert nano == parse_duration(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", 'time: invalid duration ""', id="nothing"),
        pytest.param("3", 'time: missing unit in duration "3"', id="no unit"),
        pytest.param("90d", 'time: unknown unit "d" in duration "90d"', id="days"),
        pytest.param("1h 5m", 'time: unknown unit "h " in duration "1h 5m"', id="a space"),
        pytest.param(".s", 'time: invalid duration ".s"', id="a point alone"),
        pytest.param("-", 'time: invalid duration "-"', id="a sign alone"),
        pytest.param("3000000h", 'time: invalid duration "3000000h"', id="too long"),
        pytest.param(
            "9223372036854775808ns", 'time: invalid duration "9223372036854775808ns"', id="one more"
        ),
        pytest.param(
            '1"é', r'time: unknown unit "\"\xc3\xa9" in duration "1\"\xc3\xa9"', id="quoted"
        ),
    ],
)
def test_what_go_refuses_is_refused_with_its_text(text: str, expected: str) -> None:
    """The webhook's refusal holds this text."""
    with pytest.raises(InvalidError) as caught:
        parse_duration(text)

    assert expected == str(caught.value)


@pytest.mark.parametrize(
    ("nano", "expected"),
    [
        pytest.param(0, "0s", id="zero"),
        pytest.param(1, "1ns", id="nano"),
        pytest.param(1_100, "1.1µs", id="micro"),
        pytest.param(2_200_000, "2.2ms", id="milli"),
        pytest.param(3_300_000_000, "3.3s", id="seconds"),
        pytest.param(3_600_000_000_000, "1h0m0s", id="an hour"),
        pytest.param(245_000_000_000, "4m5s", id="minutes"),
        pytest.param(-60_000_000_000, "-1m0s", id="negative"),
        pytest.param((1 << 63) - 1, "2562047h47m16.854775807s", id="the longest"),
    ],
)
def test_a_duration_is_written_as_by_go(nano: int, expected: str) -> None:
    """Two objects that mean the same are the same."""
    assert expected == format_duration(nano)


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_what_is_written_is_read_again(nano: int) -> None:
    """For every duration there is."""
    assert nano == parse_duration(format_duration(nano))


@given(st.text("0123456789.hmsnuµ+-d "))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    """No field crashes the webhook."""
    try:
        nano = parse_duration(text)
    except InvalidError:
        return
    assert -(1 << 63) <= nano < 1 << 63
