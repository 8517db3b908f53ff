"""`SamplingManager`'s messages as bytes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymer.errors import UndecodableError
from lymer.sampling.strategies import (
    OperationStrategies,
    OperationStrategy,
    Probabilistic,
    RateLimiting,
    Strategy,
)
from lymer.sampling.strategy_proto import (
    decode_parameters,
    decode_strategy,
    encode_parameters,
    encode_strategy,
)

NUMBERS = st.floats(allow_nan=False)
SAMPLERS = st.one_of(
    st.builds(Probabilistic, NUMBERS),
    st.builds(RateLimiting, st.integers(-(2**31), 2**31 - 1)),
)
OPERATIONS = st.builds(
    OperationStrategies,
    NUMBERS,
    st.lists(st.builds(OperationStrategy, st.text(), NUMBERS), max_size=4).map(tuple),
    NUMBERS,
    NUMBERS,
)


@given(st.builds(Strategy, SAMPLERS, st.none() | OPERATIONS))
def test_a_strategy_survives(strategy: Strategy) -> None:
    """Every field comes back as it was."""
    assert strategy == decode_strategy(encode_strategy(strategy))


@given(st.text())
def test_a_service_survives(service: str) -> None:
    """Also an empty one, which is no bytes at all."""
    assert service == decode_parameters(encode_parameters(service))


@given(st.binary(max_size=64))
def test_other_bytes_are_refused_or_read(body: bytes) -> None:
    """Nothing but our error escapes."""
    for decode in (decode_parameters, decode_strategy):
        with contextlib.suppress(UndecodableError):
            decode(body)


def test_bytes_are_jaegers() -> None:
    """A probability and a rate, byte by byte: a zero kind is not sent, a zero rate is."""
    half = bytes.fromhex("12 09 09 000000000000e03f")

    assert half == encode_strategy(Strategy(Probabilistic(0.5)))
    assert bytes.fromhex("0801 1a02 0805") == encode_strategy(Strategy(RateLimiting(5)))
    assert bytes.fromhex("1200") == encode_strategy(Strategy(Probabilistic(0)))


def test_operations_without_a_probability_of_the_service() -> None:
    """Jaeger's adaptive sampling answers so; the operations' default stands for it."""
    answer = bytes.fromhex("22 09 09") + bytes.fromhex("000000000000e03f")

    assert Strategy(Probabilistic(0.5), OperationStrategies(0.5)) == decode_strategy(answer)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "it names no way of sampling"),
        (bytes.fromhex("0807"), "unknown strategyType 7"),
        (b"\xff", "cannot decode SamplingStrategyResponse"),
    ],
    ids=["empty", "unknown kind", "no protobuf"],
)
def test_an_answer_that_says_nothing_is_refused(body: bytes, text: str) -> None:
    """So that the client keeps what it has."""
    with pytest.raises(UndecodableError, match=text):
        decode_strategy(body)


def test_a_service_name_that_is_no_utf8_is_read() -> None:
    """Go clients do not check."""
    assert decode_parameters(b"\x0a\x02a\xff") == "a�"
