"""The typed tree that every way of asking becomes, and that only the store evaluates.

::

    Query ── Pipeline ── stages: Filter | Combine | Relate | Pipeline   which spans
      │                          ScalarFilter                           which spansets
      │                          Group | Coalesce | Select              how they are cut and shown
      └───── Metrics ── MetricsQuery | MetricsMath | MetricsStaged      a number for each instant

    a Filter holds an expression:
    Literal | Attribute | Intrinsic | Unary | Logic | Binary | Exists | Some

A spanset is the set of spans of one trace that match. Every node is a frozen value; `at` is the
offset of its first character in the text it was read from, which no comparison looks at.
Source: TraceQL as Grafana Tempo 2.9 reads it; Jaeger's RFC 0005 for `Some`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias
from typing import Literal as OneOf

__all__ = [
    "AGGREGATES",
    "INTRINSIC_TYPES",
    "METRICS",
    "Aggregate",
    "Attribute",
    "Binary",
    "Coalesce",
    "Combine",
    "Compare",
    "Exists",
    "Expression",
    "Field",
    "Filter",
    "Group",
    "Intrinsic",
    "Literal",
    "Logic",
    "Metrics",
    "MetricsMath",
    "MetricsNumber",
    "MetricsQuery",
    "MetricsStaged",
    "Pipeline",
    "Query",
    "Relate",
    "Scalar",
    "ScalarBinary",
    "ScalarFilter",
    "Scope",
    "SecondStage",
    "Select",
    "Shown",
    "Some",
    "Spanset",
    "Stage",
    "Threshold",
    "Top",
    "Type",
    "Unary",
]

Scope = OneOf["", "span", "resource", "event", "link", "instrumentation"]
"""Where an attribute lies; empty: on the span, else on its resource."""

Type = OneOf["bool", "int", "float", "string", "duration", "time", "status", "kind", "nil", "any"]
"""What an expression evaluates to; `any` is known only when an attribute's value is read."""

INTRINSIC_TYPES: Final[dict[str, Type]] = {
    "span:duration": "duration",
    "span:name": "string",
    "span:kind": "kind",
    "span:status": "status",
    "span:statusMessage": "string",
    "span:id": "string",
    "span:parentID": "string",
    "span:childCount": "int",
    "span:nestedSetLeft": "int",
    "span:nestedSetRight": "int",
    "span:nestedSetParent": "int",
    "trace:duration": "duration",
    "trace:rootName": "string",
    "trace:rootService": "string",
    "trace:id": "string",
    "event:name": "string",
    "event:timeSinceStart": "duration",
    "link:traceID": "string",
    "link:spanID": "string",
    "instrumentation:name": "string",
    "instrumentation:version": "string",
    # Only Jaeger's filters (RFC 0005, 5.2) name these.
    "span:startTime": "time",
    "span:endTime": "time",
    "span:traceState": "string",
    "resource:schemaURL": "string",
    "instrumentation:schemaURL": "string",
    "event:time": "time",
    "link:traceState": "string",
}
"""Every intrinsic by its scoped name. The nested sets have no scoped spelling in TraceQL."""

AGGREGATES: Final = ("count", "avg", "max", "min", "sum")
METRICS: Final = (
    "rate",
    "count_over_time",
    "min_over_time",
    "max_over_time",
    "avg_over_time",
    "sum_over_time",
    "quantile_over_time",
    "histogram_over_time",
    "compare",
)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as it was written."""

    value: bool | int | float | str | None
    """Durations and times are whole nanoseconds; a status is `unset`, `ok` or `error`; nil is
    None."""
    type: Type
    """`any` is a text that equals whatever prints like it: `500` the integer and the text. Ordered,
    it is a number where it reads as one."""
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Attribute:
    """The value of a key; absent where the span has no such key in that scope."""

    name: str
    scope: Scope = ""
    of_parent: bool = False
    """Of the parent span instead; `scope` is then empty, `span` or `resource`."""
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Intrinsic:
    """What every span or trace has by itself; a key of `INTRINSIC_TYPES`."""

    name: str
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """`-x` or `!x`."""

    operator: OneOf["-", "!"]
    operand: Expression
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Logic:
    """Conditions joined by one operator; two at least, none of them joined by the same."""

    operator: OneOf["&&", "||"]
    operands: tuple[Expression, ...]
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands: `= != < <= > >= =~ !~`, `+ - * / % ^`.

    A regular expression matches the whole value. A comparison with an attribute that the span
    lacks is false, whatever the operator. Whole numbers, fractions and durations compare by value;
    text never equals a number.
    """

    operator: str
    left: Expression
    right: Expression
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Exists:
    """`x != nil`, or `x = nil` when negated."""

    operand: Expression
    negated: bool = False
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Some:
    """One and the same event (or link) of the span fulfils the condition.

    Outside of it, two conditions on events may be fulfilled by two events.
    Source: Jaeger, RFC 0005, operator `some`.
    """

    scope: OneOf["event", "link"]
    condition: Expression
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Shown:
    """Jaeger's JSON of the span shows a tag, a process tag or a log field with this key.

    What is shown prints like `value`, whatever its type; None: any value, or an event of that name.
    Source: Jaeger, `/api/traces?tag=`; Zipkin, `annotationQuery`.
    """

    key: str
    value: str | None = None
    any_name: bool = False
    """Under each name that OpenTelemetry's conventions have given to the same thing."""
    at: int = field(default=0, compare=False, repr=False)


Field: TypeAlias = Attribute | Intrinsic
Expression: TypeAlias = (
    Literal | Attribute | Intrinsic | Unary | Logic | Binary | Exists | Some | Shown
)


@dataclass(frozen=True, slots=True)
class Filter:
    """The spans for which the condition is true; without a condition, all."""

    condition: Expression | None = None
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Combine:
    """`&&`: the trace has matches of both, the spans are those of either; `||`: of either."""

    operator: OneOf["&&", "||"]
    left: Spanset
    right: Spanset
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Relate:
    """Spans of the right side that stand in a relation to some span of the left side.

    `>` child, `>>` descendant, `<` parent, `<<` ancestor, `~` sibling. Negated: the right side's
    spans that stand in it to none. Union: the spans of both sides that stand in it.
    """

    relation: OneOf[">", ">>", "<", "<<", "~"]
    mode: OneOf["plain", "not", "union"]
    left: Spanset
    right: Spanset
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A number of a spanset: `count()`, or `avg max min sum` of an expression."""

    name: str
    operand: Expression | None = None
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ScalarBinary:
    """Arithmetic between numbers of one spanset."""

    operator: str
    left: Scalar
    right: Scalar
    at: int = field(default=0, compare=False, repr=False)


Scalar: TypeAlias = Literal | Aggregate | ScalarBinary


@dataclass(frozen=True, slots=True)
class ScalarFilter:
    """The spansets whose numbers compare so."""

    operator: OneOf["=", "!=", "<", "<=", ">", ">="]
    left: Scalar
    right: Scalar
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Group:
    """Cut each spanset into one for each value of the expression."""

    by: Expression
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Coalesce:
    """Join the spansets of a trace again."""

    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Select:
    """Show these fields of each span in the answer."""

    fields: tuple[Field, ...]
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Stages from left to right; each sees what the one before let through."""

    stages: tuple[Stage, ...]
    at: int = field(default=0, compare=False, repr=False)


Spanset: TypeAlias = Filter | Combine | Relate | Pipeline
Stage: TypeAlias = Spanset | ScalarFilter | Group | Coalesce | Select


@dataclass(frozen=True, slots=True)
class Top:
    """Keep the series with the largest (or smallest) values at each instant."""

    count: int
    smallest: bool = False
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Threshold:
    """Keep the values that compare so."""

    operator: OneOf["=", "!=", "<", "<=", ">", ">="]
    number: Literal
    at: int = field(default=0, compare=False, repr=False)


SecondStage: TypeAlias = Top | Threshold


@dataclass(frozen=True, slots=True)
class Compare:
    """`compare({selection}, top, start, end)`: attribute values of a selection and of the rest."""

    selection: Filter
    top: int = 10
    start_unix_nano: int = 0
    end_unix_nano: int = 0
    """Both 0: the whole range is the selection's."""
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class MetricsQuery:
    """One series for each combination of the values of `by`, from the spans of `source`."""

    source: Pipeline
    function: str
    """One of `METRICS`."""
    operand: Field | None = None
    """What is measured; `rate`, `count_over_time` and `compare` have none."""
    quantiles: tuple[float, ...] = ()
    """From 0 to 1, for `quantile_over_time` only."""
    by: tuple[Field, ...] = ()
    comparison: Compare | None = None
    """For `compare` only."""
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class MetricsNumber:
    """A constant in arithmetic between series."""

    value: float
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class MetricsMath:
    """Arithmetic between series with the same labels, at each instant."""

    operator: OneOf["+", "-", "*", "/"]
    left: Metrics
    right: Metrics
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class MetricsStaged:
    """Series after `topk`, `bottomk` and comparisons, from left to right."""

    source: Metrics
    stages: tuple[SecondStage, ...]
    at: int = field(default=0, compare=False, repr=False)


Metrics: TypeAlias = MetricsQuery | MetricsNumber | MetricsMath | MetricsStaged


@dataclass(frozen=True, slots=True)
class Query:
    """A whole question, with the hints that follow it."""

    body: Pipeline | Metrics
    hints: tuple[tuple[str, Literal], ...] = ()
