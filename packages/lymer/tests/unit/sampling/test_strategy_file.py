"""The strategies file: each merge rule, each quirk, each error."""

from __future__ import annotations

import json
from typing import Any

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
from lymer.sampling.strategy_file import (
    FILE_BYTES_MAX,
    FileStrategies,
    StrategyFileError,
    read_strategies,
)

UNSET = 0.001
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "default_strategy",
                    "service_strategies",
                    "operation_strategies",
                    "service",
                    "operation",
                    "type",
                    "param",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


def read(document: Any) -> FileStrategies:
    """Return the strategies of a document."""
    return read_strategies(json.dumps(document).encode(), default_probability=UNSET)


def probabilistic(param: float, **more: Any) -> dict[str, Any]:
    """Return an entry."""
    return {"type": "probabilistic", "param": param, **more}


def limiting(param: float, **more: Any) -> dict[str, Any]:
    """Return an entry."""
    return {"type": "ratelimiting", "param": param, **more}


def operations(default: float, **of: float) -> OperationStrategies:
    """Return the strategies of operations, in order."""
    return OperationStrategies(
        default, tuple(OperationStrategy(name, rate) for name, rate in of.items())
    )


DEFAULT_OPERATIONS = [
    {"operation": "health", **probabilistic(0.0)},
    {"operation": "pay", **probabilistic(1.0)},
]
DEFAULT = probabilistic(0.5, operation_strategies=DEFAULT_OPERATIONS)


@pytest.mark.parametrize("document", [None, {}, {"default_strategy": None}], ids=repr)
def test_a_file_that_says_nothing_gives_the_default(document: Any) -> None:
    """`null` is what Jaeger takes an absent file for."""
    assert FileStrategies(Strategy(Probabilistic(UNSET)), {}) == read(document)


def test_the_manuals_example() -> None:
    """Services with a probability, a rate, and none."""
    found = read(
        {
            "default_strategy": DEFAULT,
            "service_strategies": [
                {
                    "service": "foo",
                    **probabilistic(
                        0.8, operation_strategies=[{"operation": "op1", **probabilistic(0.2)}]
                    ),
                },
                {"service": "bar", **limiting(5)},
            ],
        }
    )

    assert found.get("foo") == Strategy(
        Probabilistic(0.8), operations(0.8, op1=0.2, health=0.0, pay=1.0)
    )
    assert found.get("bar") == Strategy(RateLimiting(5), operations(0.5, health=0.0, pay=1.0))
    assert found.get("other") == Strategy(Probabilistic(0.5), operations(0.5, health=0.0, pay=1.0))
    assert found.warnings == ()


def service_of(entry: dict[str, Any], default: dict[str, Any] | None = DEFAULT) -> Strategy:
    """Return the strategy of the only service of a file."""
    document = {"default_strategy": default, "service_strategies": [{"service": "s", **entry}]}
    return read(document).get("s")


@pytest.mark.parametrize(
    ("entry", "default", "expected"),
    [
        pytest.param(
            probabilistic(0.8),
            None,
            Strategy(Probabilistic(0.8)),
            id="no operations anywhere",
        ),
        pytest.param(
            probabilistic(0.8),
            DEFAULT,
            Strategy(Probabilistic(0.8), operations(0.8, health=0.0, pay=1.0)),
            id="inherited, with the probability of the service",
        ),
        pytest.param(
            limiting(7),
            DEFAULT,
            Strategy(RateLimiting(7), operations(0.5, health=0.0, pay=1.0)),
            id="inherited by a rate, with the probability of the default",
        ),
        pytest.param(
            probabilistic(0.8, operation_strategies=[{"operation": "pay", **probabilistic(0.1)}]),
            DEFAULT,
            Strategy(Probabilistic(0.8), operations(0.8, pay=0.1, health=0.0)),
            id="merged, the service wins and comes first",
        ),
        pytest.param(
            limiting(7, operation_strategies=[{"operation": "pay", **probabilistic(0.1)}]),
            DEFAULT,
            Strategy(RateLimiting(7), operations(UNSET, pay=0.1, health=0.0)),
            id="a rate with operations has the configured probability, not the file's",
        ),
        pytest.param(
            probabilistic(0.8, operation_strategies=[]),
            DEFAULT,
            Strategy(Probabilistic(0.8), operations(0.8, health=0.0, pay=1.0)),
            id="an empty list is none",
        ),
        pytest.param(
            probabilistic(0.8, operation_strategies=[{"operation": "pay", **limiting(3)}]),
            None,
            Strategy(Probabilistic(0.8), operations(0.8)),
            id="a rate for an operation is dropped, the list stays",
        ),
        pytest.param(
            probabilistic(0.8, operation_strategies=[{"operation": "pay", "type": "x"}]),
            None,
            Strategy(Probabilistic(0.8), operations(0.8, pay=UNSET)),
            id="an unknown type for an operation is the configured probability",
        ),
        pytest.param(
            {"type": "adaptive", "param": 0.7},
            None,
            Strategy(Probabilistic(UNSET)),
            id="an unknown type is the configured probability",
        ),
        pytest.param(
            {"type": "adaptive", "param": 0.7},
            probabilistic(0.5),
            Strategy(Probabilistic(UNSET)),
            id="and not the default strategy of the file",
        ),
        pytest.param({}, None, Strategy(Probabilistic(UNSET)), id="no type is an unknown one"),
        pytest.param(
            {"type": "probabilistic"}, None, Strategy(Probabilistic(0.0)), id="no param is zero"
        ),
        pytest.param(limiting(0.9), None, Strategy(RateLimiting(0)), id="a rate is cut"),
        pytest.param(limiting(-1.9), None, Strategy(RateLimiting(-1)), id="towards zero"),
        pytest.param(
            {"Type": "probabilistic", "PARAM": 1},
            None,
            Strategy(Probabilistic(1.0)),
            id="keys in any case",
        ),
        pytest.param(
            probabilistic(1.5), None, Strategy(Probabilistic(1.5)), id="no probability is sent on"
        ),
    ],
)
def test_a_service_gets(
    entry: dict[str, Any], default: dict[str, Any] | None, expected: Strategy
) -> None:
    """One rule each."""
    assert expected == service_of(entry, default)


def test_an_unknown_type_of_the_default_is_the_configured_probability() -> None:
    """And its operations still count."""
    found = read({"default_strategy": {**DEFAULT, "type": "remote"}})

    assert found.default == Strategy(Probabilistic(UNSET), operations(UNSET, health=0.0, pay=1.0))


def test_the_last_of_two_entries_for_a_service_wins() -> None:
    """As assignments to a map do."""
    entries = [{"service": "s", **probabilistic(0.1)}, {"service": "s", **probabilistic(0.2)}]

    assert read({"service_strategies": entries}).get("s") == Strategy(Probabilistic(0.2))


@pytest.mark.parametrize(
    ("entry", "warning"),
    [
        (limiting(0.9), "service_strategies[0].param: a rate is a whole number, so 0.9 is 0"),
        (
            {"type": "Probabilistic", "param": 1},
            (
                'service_strategies[0].type: must be "probabilistic" or "ratelimiting", but it is '
                '"Probabilistic", so the default probability 0.001 holds'
            ),
        ),
        (
            probabilistic(2),
            "service_strategies[0].param: 2 is no probability; it is sent, clients refuse it",
        ),
        (probabilistic(1, operations=[]), "service_strategies[0].operations: unknown, ignored"),
        (
            probabilistic(0.8, operation_strategies=[{"operation": "pay", **limiting(3)}]),
            (
                "service_strategies[0].operation_strategies[0]: operations can only be sampled by "
                '"probabilistic", so "pay" has the probability 0.8 of its service'
            ),
        ),
    ],
    ids=["cut rate", "type", "probability", "unknown key", "rate of an operation"],
)
def test_what_has_no_effect_is_said(entry: dict[str, Any], warning: str) -> None:
    """With its place in the file."""
    found = read({"service_strategies": [{"service": "s", **entry}]})

    assert (warning,) == found.warnings


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"{", "it is not JSON: Expecting property name"),
        (b'{"default_strategy": {"param": NaN}}', "it is not JSON: NaN is no number in JSON"),
        (b"\xff{}", "it is not UTF-8 at byte 0"),
        (b"[]", "it: must be an object, but it is a list"),
        (b'{"default_strategy": 1}', "default_strategy: must be an object, but it is a number"),
        (
            b'{"service_strategies": {}}',
            "service_strategies: must be a list, but it is an object",
        ),
        (
            b'{"service_strategies": [null]}',
            "service_strategies[0]: must be an object, but it is null",
        ),
        (
            b'{"service_strategies": [{"service": 1}]}',
            "service_strategies[0].service: must be a text, but it is a number",
        ),
        (
            b'{"default_strategy": {"param": "0.5"}}',
            "default_strategy.param: must be a number, but it is a text",
        ),
        (
            b'{"default_strategy": {"param": true}}',
            "default_strategy.param: must be a number, but it is a truth value",
        ),
        (
            b'{"default_strategy": {"operation_strategies": [{"operation": "a", "type": []}]}}',
            "default_strategy.operation_strategies[0].type: must be a text, but it is a list",
        ),
        (
            b'{"default_strategy": {"type": "ratelimiting", "param": 2147483648}}',
            "default_strategy.param: must be a rate within 32 bits, but it is 2.14748e+09",
        ),
        (
            b'{"default_strategy": {"param": 1e999}}',
            "default_strategy.param: is beyond the numbers of 64 bits",
        ),
        (
            b'{"default_strategy": {"param": 1' + b"0" * 400 + b"}}",
            "default_strategy.param: is beyond the numbers of 64 bits",
        ),
        (b"[" * 200_000, "it is nested too deep"),
        (b" " * (FILE_BYTES_MAX + 1), f"the limit is {FILE_BYTES_MAX}"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, bytes) else "",
)
def test_what_cannot_be_used_is_refused(content: bytes, message: str) -> None:
    """With its place in the file."""
    with pytest.raises(StrategyFileError) as raised:
        read_strategies(content, default_probability=UNSET)

    assert message in str(raised.value)


@given(JSON_VALUES)
def test_any_json_is_read_or_refused(document: Any) -> None:
    """Nothing but our error escapes, and every service has a strategy."""
    try:
        found = read(document)
    except StrategyFileError:
        return

    assert isinstance(found.get("anything"), Strategy)
