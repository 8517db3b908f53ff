"""The file of tail sampling policies: every type, the shapes it is given in, each error."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymer.model.tail_policy import (
    AlwaysSample,
    And,
    BooleanAttribute,
    Composite,
    CompositePart,
    Drop,
    Latency,
    NumericAttribute,
    Policy,
    Probabilistic,
    RateLimiting,
    SpanCount,
    StatusCode,
    StringAttribute,
    TraceState,
)
from lymer.sampling.tail_file import (
    POLICIES_MAX,
    TailFileError,
    read_tail_policies,
    unread_settings,
)


def _file(*policies: dict[str, Any]) -> bytes:
    return json.dumps({"policies": policies}).encode()


def _one(kind: str, settings: object = None) -> Any:
    (policy,) = read_tail_policies(_file({"name": "p", "type": kind, kind: settings}))
    return policy.rule


@pytest.mark.parametrize(
    ("kind", "settings", "rule"),
    [
        pytest.param("always_sample", None, AlwaysSample(), id="always"),
        pytest.param("latency", {"threshold_ms": 5}, Latency(5), id="latency"),
        pytest.param(
            "latency",
            {"threshold_ms": 5, "upper_threshold_ms": 9},
            Latency(5, 9),
            id="latency between",
        ),
        pytest.param(
            "latency",
            {"threshold_ms": 5, "upper_threshold_ms": 0},
            Latency(5),
            id="an upper limit of 0 is none",
        ),
        pytest.param(
            "status_code",
            {"status_codes": ["ERROR", "UNSET"]},
            StatusCode((2, 0)),
            id="status",
        ),
        pytest.param(
            "string_attribute",
            {"key": "k", "values": ["a", "b"]},
            StringAttribute("k", ("a", "b")),
            id="text",
        ),
        pytest.param(
            "string_attribute",
            {"key": "k", "values": ["a.*"], "enabled_regex_matching": True, "invert_match": True},
            StringAttribute("k", ("a.*",), are_expressions=True, is_inverted=True),
            id="expression, inverted",
        ),
        pytest.param(
            "numeric_attribute",
            {"key": "k", "min_value": -5, "max_value": 9},
            NumericAttribute("k", -5, 9),
            id="number",
        ),
        pytest.param(
            "numeric_attribute",
            {"key": "k", "min_value": 500},
            NumericAttribute("k", 500, 2**63 - 1),
            id="number without an upper limit",
        ),
        pytest.param(
            "boolean_attribute",
            {"key": "k", "value": True},
            BooleanAttribute("k", value=True),
            id="truth value",
        ),
        pytest.param(
            "trace_state", {"key": "k", "values": ["v"]}, TraceState("k", ("v",)), id="trace state"
        ),
        pytest.param("span_count", {"min_spans": 2}, SpanCount(2), id="spans"),
        pytest.param(
            "span_count", {"min_spans": 2, "max_spans": 4}, SpanCount(2, 4), id="spans between"
        ),
        pytest.param(
            "probabilistic",
            {"sampling_percentage": 12.5, "hash_salt": "s"},
            Probabilistic(12.5, "s"),
            id="probabilistic",
        ),
        pytest.param(
            "rate_limiting", {"spans_per_second": 35}, RateLimiting(35), id="rate limiting"
        ),
        pytest.param(
            "and",
            {
                "and_sub_policy": [
                    {"name": "a", "type": "latency", "latency": {"threshold_ms": 5}},
                    {"name": "b", "type": "always_sample"},
                ]
            },
            And((Latency(5), AlwaysSample())),
            id="and",
        ),
        pytest.param(
            "drop",
            {
                "drop_sub_policy": [
                    {
                        "name": "health",
                        "type": "string_attribute",
                        "string_attribute": {"key": "url.path", "values": ["/live"]},
                    }
                ]
            },
            Drop((StringAttribute("url.path", ("/live",)),)),
            id="drop",
        ),
    ],
)
def test_a_type_is_read(kind: str, settings: object, rule: object) -> None:
    """In the Collector's words."""
    assert _one(kind, settings) == rule


def test_a_composite_gives_shares_in_the_order_asked_for() -> None:
    """What has no share of its own gets an equal part."""
    rule = _one(
        "composite",
        {
            "max_total_spans_per_second": 1000,
            "policy_order": ["b", "a", "c"],
            "composite_sub_policy": [
                {"name": "a", "type": "always_sample"},
                {"name": "b", "type": "latency", "latency": {"threshold_ms": 5}},
                {"name": "c", "type": "always_sample"},
            ],
            "rate_allocation": [{"policy": "a", "percent": 50}, {"policy": "b", "percent": 25}],
        },
    )

    assert rule == Composite(
        (
            CompositePart("b", Latency(5), 250),
            CompositePart("a", AlwaysSample(), 500),
            CompositePart("c", AlwaysSample(), 333),
        ),
        1000,
    )


@pytest.mark.parametrize("wrap", ["policies", "tail_sampling", "processors"])
def test_a_section_of_a_collectors_configuration_is_read_as_it_is(wrap: str) -> None:
    """With what concerns the Collector's own memory in it."""
    section: dict[str, Any] = {
        "decision_wait": "10s",
        "num_traces": 100,
        "policies": [{"name": "p", "type": "always_sample"}],
    }
    if wrap != "policies":
        section = {"tail_sampling": section}
    if wrap == "processors":
        section = {"processors": {"batch": {}, **section}}

    assert read_tail_policies(json.dumps(section).encode()) == (Policy("p", AlwaysSample()),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", "it is no YAML"),
        (b"[]", "the file: must be a mapping, is list '[]'"),
        (b"{}", "policies: is missing"),
        (b"policies: []", "policies: there is none"),
        (b"policies: [1]", "policies[0]: must be a mapping, is int '1'"),
        (_file({"type": "always_sample"}), "policies[0].name: is missing"),
        (_file({"name": "p", "type": "ottl_condition"}), "policies[0].type: 'ottl_condition' is"),
        (_file({"name": "p", "type": "latency"}), "policies[0].latency: is missing"),
        (
            _file({"name": "p", "type": "latency", "latency": {"threshold_ms": "5s"}}),
            "policies[0].latency.threshold_ms: must be a whole number, is str '5s'",
        ),
        (
            _file({"name": "p", "type": "status_code", "status_code": {"status_codes": ["BAD"]}}),
            "policies[0].status_code.status_codes[0]: is 'BAD', must be one of UNSET, OK, ERROR",
        ),
        (
            _file(
                {
                    "name": "p",
                    "type": "probabilistic",
                    "probabilistic": {"sampling_percentage": 101},
                }
            ),
            "policies[0].probabilistic.sampling_percentage: is 101, must be from 0 to 100",
        ),
        (
            _file({"name": "p", "type": "always_sample"}, {"name": "p", "type": "always_sample"}),
            "policies: the name 'p' is used twice",
        ),
        (
            _file(*({"name": str(i), "type": "always_sample"} for i in range(POLICIES_MAX + 1))),
            "policies: 101 of them, the limit is 100",
        ),
        (b"[" * 100_000, "it is no YAML"),
        (b" " * 2**20 + b"x", "it has 1048577 bytes, the limit is 1048576"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(content: bytes, message: str) -> None:
    """A person with the file open finds it."""
    with pytest.raises(TailFileError) as caught:
        read_tail_policies(content)

    assert str(caught.value).startswith(message)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["name", "type", "latency", "and", "and_sub_policy", "composite"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=10,
    )
)
def test_nothing_in_a_file_raises_anything_else(policies: object) -> None:
    """Whatever is written there."""
    with contextlib.suppress(TailFileError):
        read_tail_policies(json.dumps({"policies": policies}).encode())


def test_what_is_not_read_is_named() -> None:
    """A section that is passed on whole says which of its settings mean nothing here."""
    section = b"""
processors:
  tail_sampling:
    decision_wait: 10s
    num_traces: 100
    decisionwait: 1s
    policies: [{name: a, type: always_sample}]
"""

    wait, traces, unknown = unread_settings(section)

    assert "tail_sampling.grace_seconds to 10s" in wait
    assert "no meaning" in traces
    assert "not known" in unknown
    assert unread_settings(b"policies: []") == ()
