"""Policies of tail sampling, as values: which finished traces are kept.

The words are those of the OpenTelemetry Collector's `tail_sampling` processor, which Jaeger v2
runs. Every policy votes on every trace; `storage.clickhouse.tail_select` counts the votes.

Source: reference jaeger.md 3.4; opentelemetry-collector-contrib `processor/tailsamplingprocessor`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "AlwaysSample",
    "And",
    "BooleanAttribute",
    "Composite",
    "CompositePart",
    "Condition",
    "Drop",
    "Latency",
    "NumericAttribute",
    "Policy",
    "Probabilistic",
    "RateLimiting",
    "SimplePolicy",
    "SpanCount",
    "StatusCode",
    "StringAttribute",
    "TailPolicy",
    "TraceState",
]


@dataclass(frozen=True, slots=True)
class AlwaysSample:
    """Votes for every trace."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Votes for a trace that lasts so long, from its first start to its last end."""

    milliseconds_min: int
    milliseconds_max: int | None = None
    """None for no upper limit; the limit itself is still a match."""


@dataclass(frozen=True, slots=True)
class StatusCode:
    """Votes for a trace in which a span has one of these statuses."""

    codes: tuple[int, ...]
    """OTLP's numbers: 0 UNSET, 1 OK, 2 ERROR."""


@dataclass(frozen=True, slots=True)
class StringAttribute:
    """Votes for a trace in which a resource or a span has a text under a key."""

    key: str
    values: tuple[str, ...]
    are_expressions: bool = False
    """Whether the values are regular expressions (RE2), found anywhere in the text."""
    is_inverted: bool = False
    """Vote if no resource and span has it, and veto the trace if one has."""


@dataclass(frozen=True, slots=True)
class NumericAttribute:
    """Votes for a trace in which a resource or a span has a number in a range under a key."""

    key: str
    value_min: int
    value_max: int
    is_inverted: bool = False


@dataclass(frozen=True, slots=True)
class BooleanAttribute:
    """Votes for a trace in which a resource or a span has a truth value under a key."""

    key: str
    value: bool
    is_inverted: bool = False


@dataclass(frozen=True, slots=True)
class TraceState:
    """Votes for a trace in which a span's W3C trace state has one of the values under a key."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SpanCount:
    """Votes for a trace with so many spans."""

    spans_min: int
    spans_max: int = 0
    """0 for no upper limit."""


@dataclass(frozen=True, slots=True)
class Probabilistic:
    """Votes for a part of all traces, by a hash of their ids: the same part everywhere."""

    percentage: float
    """0 to 100."""
    hash_salt: str = ""


@dataclass(frozen=True, slots=True)
class RateLimiting:
    """Votes for traces while their spans fit a budget for each second of arrival."""

    spans_per_second: int


Condition: TypeAlias = (
    AlwaysSample
    | Latency
    | StatusCode
    | StringAttribute
    | NumericAttribute
    | BooleanAttribute
    | TraceState
    | SpanCount
)
"""What a trace meets or does not, whatever chance and other traces say."""
SimplePolicy: TypeAlias = Condition | Probabilistic | RateLimiting


@dataclass(frozen=True, slots=True)
class And:
    """Votes for a trace for which all of these vote."""

    policies: tuple[SimplePolicy, ...]


@dataclass(frozen=True, slots=True)
class Drop:
    """Drops a trace for which all of these vote, whatever the others say."""

    policies: tuple[SimplePolicy, ...]


@dataclass(frozen=True, slots=True)
class CompositePart:
    """One of the policies of a composite, with its share."""

    name: str
    policy: SimplePolicy | And
    spans_per_second: int


@dataclass(frozen=True, slots=True)
class Composite:
    """Gives each trace to the first part that votes for it, and keeps it if it fits its share."""

    parts: tuple[CompositePart, ...]
    """In the order in which they are asked."""
    spans_per_second: int


TailPolicy: TypeAlias = SimplePolicy | And | Drop | Composite


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy with its name, which tells in the answers why a trace was kept."""

    name: str
    rule: TailPolicy
