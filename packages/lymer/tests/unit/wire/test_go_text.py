"""Texts as Go prints and reads them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymer.wire import go_text


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        pytest.param(0, "0s", id="zero"),
        pytest.param(1, "1ns", id="nanosecond"),
        pytest.param(1_500, "1.5µs", id="microseconds"),
        pytest.param(-1_500_000, "-1.5ms", id="negative milliseconds"),
        pytest.param(1_000_000_001, "1.000000001s", id="second and nanosecond"),
        pytest.param(60_000_000_000, "1m0s", id="minute"),
        pytest.param(3_723_500_000_000, "1h2m3.5s", id="all units"),
        pytest.param(100 * 3_600 * 10**9, "100h0m0s", id="no days"),
    ],
)
def test_durations_print_and_read_as_in_go(nano: int, text: str) -> None:
    """What is printed is read back."""
    assert text == go_text.duration_text(nano)
    assert nano == go_text.from_duration_text(text)


@given(st.integers(min_value=-(2**63) + 1, max_value=2**63 - 1))
def test_every_duration_survives_the_round_trip(nano: int) -> None:
    """Nothing is rounded."""
    assert nano == go_text.from_duration_text(go_text.duration_text(nano))


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        pytest.param("1.5s", 1_500_000_000, id="fraction"),
        pytest.param(".5s", 500_000_000, id="fraction without whole"),
        pytest.param("1.s", 1_000_000_000, id="whole with dot"),
        pytest.param("+5us", 5_000, id="sign"),
        pytest.param("5μs", 5_000, id="Greek mu"),
        pytest.param("1s1h", 3_601 * 10**9, id="any order"),
        pytest.param("0", 0, id="zero needs no unit"),
        pytest.param("0.0000000019s", 1, id="below a nanosecond is cut"),
    ],
)
def test_durations_in_other_spellings(text: str, nano: int) -> None:
    """What people type."""
    assert nano == go_text.from_duration_text(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", 'time: invalid duration ""'),
        ("abc", 'time: invalid duration "abc"'),
        ("-", 'time: invalid duration "-"'),
        (".s", 'time: invalid duration ".s"'),
        ("10", 'time: missing unit in duration "10"'),
        ("1x", 'time: unknown unit "x" in duration "1x"'),
        ("9223372036855s", 'time: invalid duration "9223372036855s"'),
        ("1" * 5_000 + "h", f'time: invalid duration "{"1" * 5_000}h"'),
    ],
)
def test_bad_durations_are_refused_in_gos_words(text: str, sentence: str) -> None:
    """Clients match on the sentence."""
    with pytest.raises(ValueError, match="time:") as caught:
        go_text.from_duration_text(text)

    assert sentence == str(caught.value)


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        pytest.param(0, "1970-01-01 00:00:00 +0000 UTC", id="epoch"),
        pytest.param(
            1_795_365_820_123_456_789, "2026-11-22 16:43:40.123456789 +0000 UTC", id="nanoseconds"
        ),
        pytest.param(1_500_000_000, "1970-01-01 00:00:01.5 +0000 UTC", id="no trailing zeros"),
        pytest.param(2**64 - 1, "1969-12-31 23:59:59.999999999 +0000 UTC", id="wraps"),
    ],
)
def test_instants_print_as_in_go(nano: int, text: str) -> None:
    """`time.Time.String` in UTC."""
    assert text == go_text.instant_text(nano)


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-22T16:43:40.123456789Z", 1_795_365_820_123_456_789),
        ("2026-11-22T17:43:40.5+01:00", 1_795_365_820_500_000_000),
        ("2026-11-22T16:43:40.1234567891Z", 1_795_365_820_123_456_789),
        ("1969-12-31T23:59:59.5Z", -500_000_000),
    ],
)
def test_rfc3339_instants_are_read_to_the_nanosecond(text: str, nano: int) -> None:
    """Fractions beyond nine digits are cut."""
    assert nano == go_text.from_rfc3339_text(text)


@pytest.mark.parametrize("text", ["", "now", "2026-11-22", "2026-13-01T00:00:00Z", "1234567890"])
def test_other_instants_are_refused(text: str) -> None:
    """With the text in the sentence."""
    with pytest.raises(ValueError, match="parsing time") as caught:
        go_text.from_rfc3339_text(text)

    assert f'"{text}"' in str(caught.value)


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_every_instant_survives_the_round_trip(nano: int) -> None:
    """RFC3339Nano keeps nanoseconds."""
    assert nano == go_text.from_rfc3339_text(go_text.rfc3339_text(nano))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (5.0, "5"),
        (1.5, "1.5"),
        (1e20, "100000000000000000000"),
        (123456789012345680000.0, "123456789012345680000"),
        (1e21, "1e+21"),
        (1e-6, "0.000001"),
        (-1.5e-5, "-0.000015"),
        (1e-7, "1e-7"),
        (1.5e-10, "1.5e-10"),
        (5e-324, "5e-324"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
    ],
)
def test_doubles_print_as_in_gos_json(value: float, text: str) -> None:
    """Shortest digits, exponent only below 1e-6 and from 1e21."""
    assert text == go_text.float_text(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_survives_the_round_trip(value: float) -> None:
    """No digit is lost, no digit is made up."""
    assert value == float(go_text.float_text(value))


@pytest.mark.parametrize(
    ("text", "bits", "sentence"),
    [
        ("abc", 64, 'strconv.ParseInt: parsing "abc": invalid syntax'),
        ("1_0", 64, 'strconv.ParseInt: parsing "1_0": invalid syntax'),
        ("", 64, 'strconv.ParseInt: parsing "": invalid syntax'),
        (
            "9223372036854775808",
            64,
            'strconv.ParseInt: parsing "9223372036854775808": value out of range',
        ),
        ("2147483648", 32, 'strconv.ParseInt: parsing "2147483648": value out of range'),
    ],
)
def test_bad_integers_are_refused_in_gos_words(text: str, bits: int, sentence: str) -> None:
    """Syntax and range."""
    with pytest.raises(ValueError, match="strconv") as caught:
        go_text.from_int_text(text, bits=bits)

    assert sentence == str(caught.value)


def test_integers_at_the_ends_are_read() -> None:
    """The whole of int64, with sign."""
    assert go_text.from_int_text(str(-(2**63))) == -(2**63)
    assert go_text.from_int_text(f"+{2**63 - 1}") == 2**63 - 1


def test_booleans_are_read_as_in_go() -> None:
    """`strconv.ParseBool`."""
    assert go_text.from_bool_text("T")
    assert not go_text.from_bool_text("0")
    with pytest.raises(ValueError, match=r'strconv\.ParseBool: parsing "yes": invalid syntax'):
        go_text.from_bool_text("yes")
