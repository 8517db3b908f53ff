"""A strategy as JSON, letter by letter as Jaeger writes it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymer.sampling.strategies import (
    OperationStrategies,
    OperationStrategy,
    Probabilistic,
    RateLimiting,
    Strategy,
)
from lymer.sampling.strategy_json import to_legacy_json, to_proto_json

HALF = Strategy(Probabilistic(0.5))
FIVE = Strategy(RateLimiting(5))
OPERATIONS = Strategy(
    Probabilistic(0.8), OperationStrategies(0.8, (OperationStrategy("op1", 0.2),))
)
LIMITED_OPERATIONS = Strategy(
    RateLimiting(-1), OperationStrategies(1.0, (), 1 / 64, upper_bound_traces_per_second=1e21)
)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (HALF, '{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":0.5}}'),
        (FIVE, '{"strategyType":"RATE_LIMITING","rateLimitingSampling":{"maxTracesPerSecond":5}}'),
        (
            OPERATIONS,
            (
                '{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":0.8},'
                '"operationSampling":{"defaultSamplingProbability":0.8,'
                '"defaultLowerBoundTracesPerSecond":0,"perOperationStrategies":[{"operation":"op1",'
                '"probabilisticSampling":{"samplingRate":0.2}}],'
                '"defaultUpperBoundTracesPerSecond":0}}'
            ),
        ),
        (
            LIMITED_OPERATIONS,
            (
                '{"strategyType":"RATE_LIMITING","rateLimitingSampling":{"maxTracesPerSecond":-1},'
                '"operationSampling":{"defaultSamplingProbability":1,'
                '"defaultLowerBoundTracesPerSecond":0.015625,"perOperationStrategies":[],'
                '"defaultUpperBoundTracesPerSecond":1e+21}}'
            ),
        ),
    ],
    ids=["probabilistic", "rate limiting", "operations", "no operations"],
)
def test_protobuf_has_words_and_no_nulls(strategy: Strategy, expected: str) -> None:
    """What clients of `/sampling` read."""
    assert expected.encode() == to_proto_json(strategy)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (
            HALF,
            (
                '{"strategyType":0,"probabilisticSampling":{"samplingRate":0.5},'
                '"rateLimitingSampling":null,"operationSampling":null}'
            ),
        ),
        (
            FIVE,
            (
                '{"strategyType":1,"probabilisticSampling":null,'
                '"rateLimitingSampling":{"maxTracesPerSecond":5},"operationSampling":null}'
            ),
        ),
    ],
    ids=["probabilistic", "rate limiting"],
)
def test_thrift_has_numbers_and_nulls(strategy: Strategy, expected: str) -> None:
    """What clients of `/?service=` read."""
    assert expected.encode() == to_legacy_json(strategy)


@given(
    st.builds(
        Strategy,
        st.builds(Probabilistic, st.floats(0, 1)),
        st.builds(
            OperationStrategies,
            st.floats(0, 1),
            st.lists(st.builds(OperationStrategy, st.text(), st.floats(0, 1)), max_size=5).map(
                tuple
            ),
            st.floats(0, 1e9),
        ),
    )
)
def test_both_shapes_say_the_same(strategy: Strategy) -> None:
    """Whatever the names and numbers, both are JSON, and differ in the kind and the nulls only."""
    proto = json.loads(to_proto_json(strategy))
    legacy = json.loads(to_legacy_json(strategy))
    operations = strategy.operations
    assert operations is not None

    assert proto | {"strategyType": 0, "rateLimitingSampling": None} == legacy
    assert [each.operation for each in operations.operations] == [
        each["operation"] for each in proto["operationSampling"]["perOperationStrategies"]
    ]


def test_a_lone_surrogate_does_not_break_the_answer() -> None:
    """JSON in a file can make one, and UTF-8 cannot carry it."""
    strategy = Strategy(
        Probabilistic(1), OperationStrategies(1, (OperationStrategy("\ud800", 0.5),))
    )

    assert b'"operation":"?"' in to_proto_json(strategy)
