"""Tail sampling policies as SQL, pure. Values are parameters, always.

The statement has layers, each a SELECT over the one below:

::

    spans     one row a span: does it meet a policy's condition?
    traces    one row a trace: how many spans meet it, when did the first arrive, how long is it
    voters    for each rule: could it keep this trace, and does it
    takers    for each composite: which part takes the trace
    shares    and does it fit the part's budget
    chances   for each budget: what part of the spans that asked has it kept
    answer    kept or not, by whom, and at what rate

Columns are called after the policy they are of: `p2_voted`, and for the third part of a composite
`p2_part3_voted`.

A trace that is kept by chance stands for 1 / rate traces like it.

Chance is drawn from the randomness of a trace that was sampled consistently before, so that we keep
what a proportional downstream sampler keeps (OpenTelemetry, tracestate-probability-sampling.md);
else from a hash of its id, as ids of some senders are not random. Policies with the same salt draw
the same number: of two of them, the likelier decides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from textwrap import indent
from typing import Final, assert_never

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from lymer.model.tail_policy import (
    AlwaysSample,
    And,
    BooleanAttribute,
    Composite,
    Condition,
    Drop,
    Latency,
    NumericAttribute,
    Policy,
    Probabilistic,
    RateLimiting,
    SimplePolicy,
    SpanCount,
    StatusCode,
    StringAttribute,
    TraceState,
)
from lymer.storage.clickhouse.sampling_threshold import RANDOMNESS_TEXT, THRESHOLD_TEXT, number_of
from lymer.storage.clickhouse.select import Query
from lymer.storage.clickhouse.span_columns import CAST_RESOURCE

__all__ = ["DECIDED", "LATE", "MARK", "select_decisions"]

DECIDED: Final = "trace_id, kept, rate, policy, batch"
"""Columns of the answer, in order."""
MARK: Final = 2
"""`kept` of the row without a trace that says how far deciding has come."""
LATE: Final = 3
"""Added to `kept` where a window repeats what was decided before, as spans came late."""
_HASH_MAX: Final = 1 << 64
_SAMPLED_BEFORE: Final = [
    f"max({RANDOMNESS_TEXT}) AS explicit",
    f"{number_of(f'max(rightPad(lower({THRESHOLD_TEXT}), 14, {chr(39)}0{chr(39)}))')} AS threshold",
]
_RANDOMNESS: Final = [
    "if(explicit != '', "
    + number_of("explicit")
    + ", reinterpretAsUInt64(reverse(concat('\\0', substring(trace_id, 10, 7))))) AS randomness",
    "(explicit != '' OR threshold > 0) AND randomness >= threshold AS is_consistent",
    # Of what earlier samplers left, the part that is at most as far from being rejected.
    "(72057594037927936 - randomness) / (72057594037927936 - threshold) AS rejected_less",
]
_BY_SECOND: Final = "PARTITION BY second"
_IN_TURN: Final = "ORDER BY first, trace_id ROWS UNBOUNDED PRECEDING"
_NANO_PER_MILLI: Final = 1_000_000
_BYTES: Final = "arrayMap(i -> reinterpretAsUInt8(substring({v}, i, 1)), range(2, length({v}) + 1))"
_INTEGER: Final = (
    "reinterpretAsInt64(arraySum((b, i) -> bitShiftLeft(toUInt64(bitAnd(b, 127)), 7 * i), "
    f"{_BYTES}, range(length({{v}}) - 1)))"
)
"""The number in an AnyValue `{v}` with an int: a tag byte, then a varint."""
_DOUBLE: Final = "reinterpretAsFloat64(substring({v}, 2))"
_TEXT: Final = (
    "substring({v}, multiIf(length({v}) <= 129, 3, length({v}) <= 16386, 4, "
    "length({v}) <= 2097155, 5, 6))"
)
"""The text in an AnyValue `{v}` with a string: a tag byte, the length as a varint, the text."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """What one rule says of a trace: names of columns or constants."""

    could: str
    does: str
    shares: Mapping[str, float] = field(default_factory=dict)
    """Salt to the part of the traces that is drawn by it."""
    fitting: str = "1"
    """What part of those fits into budgets."""
    veto: str = "0"

    @property
    def chance(self) -> str:
        """How likely the rule alone keeps a trace that it could keep."""
        factors = [str(share) for share in self.shares.values()]
        factors += [self.fitting] if self.fitting != "1" else []
        return " * ".join(factors) or "1"


class _Layers:
    """Collects what each layer has to compute; `place` says for which policy."""

    def __init__(self, query: Query) -> None:
        self.query = query
        self.traces: list[str] = []
        self.voters: list[str] = []
        self.takers: list[str] = []
        self.shares: list[str] = []
        self.chances: list[str] = []
        self.place = ""
        self.needs_randomness = False
        self._names: Counter[str] = Counter()

    def column(self, layer: list[str], what: str, expression: str) -> str:
        """Add a column to a layer; return its name, after the policy and `what` it says."""
        name = f"{self.place}_{what}"
        self._names[name] += 1
        if self._names[name] > 1:
            name = f"{name}_{self._names[name]}"
        layer.append(f"{expression} AS {name}")
        return name

    def trace_has(self, what: str, condition: str) -> str:
        """Return the column that says whether some span meets a condition."""
        return self.column(self.traces, f"has_{what}", f"countIf({condition}) > 0")


def select_decisions(policies: Sequence[Policy], *, after: int, upto: int, settled: int) -> Query:
    """Ask for the decision on each trace that came with the segments of a window.

    Args:
        policies: At least one.
        after: The window begins behind this segment.
        upto: Its last segment.
        settled: Spans up to this segment are looked at. Traces are left out whose decisions were
            repeated for this window, with `LATE` added to `kept`.

    Returns:
        A query without FORMAT, whose rows are `DECIDED`; `kept` is 0 or 1, `rate` 0 for what is
        dropped, `policy` the first that kept it.
    """
    query = Query()
    layers = _Layers(query)
    window = f"seg > {query.number(after)} AND seg <= {query.number(upto)}"
    named: list[tuple[str, _Rule]] = []
    drops: list[str] = []
    for number, policy in enumerate(policies, start=1):
        layers.place = f"p{number}"
        if isinstance(policy.rule, Drop):
            drops.append(_all(layers, policy.rule.policies).does)
        elif isinstance(policy.rule, Composite):
            named.append((policy.name, _composite(layers, policy.rule)))
        else:
            named.append((policy.name, _plain(layers, policy.rule)))
    vetoes = [rule.veto for _, rule in named if rule.veto != "0"]
    dropped = " OR ".join([*drops, *vetoes]) or "0"
    votes = [rule.does for _, rule in named] or ["0"]
    kept = f"NOT ({dropped}) AND ({' OR '.join(votes)})"
    missed = _missed([rule for _, rule in named])
    by = "".join(f"{rule.does}, {query.text(name)}, " for name, rule in named)
    left_out = (
        "SELECT trace_id\nFROM {db}.tail_decisions\n"
        f"WHERE batch = {query.number(upto)} AND kept >= {LATE}"
    )
    columns = [
        "trace_id",
        "min(seg) AS first",
        "intDiv(min(seg), 1000000) AS second",
        "count() AS spans",
        *layers.traces,
        *(_SAMPLED_BEFORE if layers.needs_randomness else []),
    ]
    statement = (
        f"SELECT{_listed(columns)}\n"
        f"FROM {{db}}.spans\nWHERE seg > {query.number(after)}\n"
        f"    AND seg <= {query.number(settled)}\n"
        f"    AND trace_id IN (SELECT trace_id FROM {{db}}.spans WHERE {window})\n"
        f"    AND trace_id NOT IN\n    {_below(left_out, 1)}\n"
        f"GROUP BY trace_id\nHAVING first <= {query.number(upto)}"
    )
    randomness = _RANDOMNESS if layers.needs_randomness else []
    for layer in (randomness, layers.voters, layers.takers, layers.shares, layers.chances):
        if layer:
            statement = f"SELECT{_listed(['*', *layer])}\nFROM\n{_below(statement)}"
    answer = ["trace_id", "toUInt8(0)", "toFloat32(0)", "''"]
    if named:
        answer = [
            "trace_id",
            f"toUInt8({kept}) AS kept",
            f"toFloat32(if(kept, 1 - {missed}, 0)) AS rate",
            f"if(kept, multiIf({by}''), '') AS policy",
        ]
    answer.append(f"{query.number(upto)} AS batch")
    query.statement = f"SELECT{_listed(answer)}\nFROM\n{_below(statement)}"
    return query


def _listed(columns: Sequence[str]) -> str:
    return "\n    " + ",\n    ".join(columns)


def _below(statement: str, depth: int = 0) -> str:
    """Return a statement in parentheses, one step further in."""
    margin = "    " * depth
    return "(\n" + indent(statement, margin + "    ") + f"\n{margin})"


def _plain(layers: _Layers, rule: SimplePolicy | And) -> _Rule:
    if isinstance(rule, And):
        return _all(layers, rule.policies)
    return _all(layers, (rule,))


def _missed(rules: Sequence[_Rule]) -> str:
    """Return how likely it is that no rule keeps a trace.

    Rules that draw by one salt draw one number, from 0 to 1: between two of their shares it misses
    all of the smaller ones. What is drawn by different salts, or fits a budget, is independent.
    """
    by_salt: dict[str, list[tuple[float, str]]] = defaultdict(list)
    factors = []
    for rule in rules:
        if not rule.shares:
            factors.append(f"(1 - ({rule.could}) * {rule.chance})")
            continue
        (salt, share), *others = rule.shares.items()
        more = [str(other) for _, other in others]
        more += [rule.fitting] if rule.fitting != "1" else []
        by_salt[salt].append((share, " * ".join([f"({rule.could})", *more])))
    for drawn in by_salt.values():
        levels = sorted({0.0, *(share for share, _ in drawn)})
        pieces = [str(1 - levels[-1])] if levels[-1] < 1 else []
        for low, high in pairwise(levels):
            misses = " * ".join(f"(1 - {kept})" for share, kept in drawn if share >= high)
            pieces.append(f"{high - low} * {misses}")
        factors.append(f"({' + '.join(pieces)})")
    return " * ".join(factors) or "1"


def _all(layers: _Layers, policies: Sequence[SimplePolicy]) -> _Rule:
    """Return the rule that votes if all of `policies` vote.

    A budget counts the traces that the policies without one let through.
    """
    fixed: list[str] = []
    drawn: list[str] = []
    shares: dict[str, float] = {}
    budgets: list[int] = []
    vetoes: list[str] = []
    for policy in policies:
        if isinstance(policy, RateLimiting):
            budgets.append(policy.spans_per_second)
        elif isinstance(policy, Probabilistic):
            drawn.append(_drawn(layers, policy))
            share = min(policy.percentage / 100, 1.0)
            shares[policy.hash_salt] = min(share, shares.get(policy.hash_salt, 1.0))
        else:
            condition, is_inverted = _condition(layers, policy)
            fixed.append(f"NOT {condition}" if is_inverted else condition)
            if is_inverted and len(policies) == 1:
                vetoes.append(condition)
    could = layers.column(layers.voters, "could", f"({' AND '.join(fixed) or '1'})")
    admitted = f"({' AND '.join([*fixed, *drawn]) or '1'})"
    does = [admitted]
    for budget in budgets:
        running = f"sum(if({admitted}, spans, 0)) OVER ({_BY_SECOND} {_IN_TURN})"
        does.append(f"{running} <= {layers.query.number(budget)}")
    voted = layers.column(layers.voters, "voted", f"({' AND '.join(does)})")
    fitting = "1"
    if budgets:
        # Of what was drawn already, so drawing and fitting multiply.
        base = layers.column(layers.voters, "asked", admitted)
        fitting = _fitting(layers, base, voted, _BY_SECOND)
    return _Rule(could, voted, shares, fitting, vetoes[0] if vetoes else "0")


def _fitting(layers: _Layers, asked: str, kept: str, partition: str) -> str:
    """Return the column with the part of a partition's spans that fitted its budget."""
    return layers.column(
        layers.chances,
        "fitting",
        f"sum(if({kept}, spans, 0)) OVER ({partition}) "
        f"/ greatest(sum(if({asked}, spans, 0)) OVER ({partition}), 1)",
    )


def _composite(layers: _Layers, rule: Composite) -> _Rule:
    place = layers.place
    parts = []
    for i, part in enumerate(rule.parts, start=1):
        layers.place = f"{place}_part{i}"
        parts.append(_plain(layers, part.policy))
    layers.place = place
    number = layers.query.number
    first = "".join(f"{part.does}, {i}, " for i, part in enumerate(parts, start=1))
    taker = layers.column(layers.takers, "taken_by", f"multiIf({first}0)")
    budgets = ", ".join(
        number(min(part.spans_per_second, rule.spans_per_second)) for part in rule.parts
    )
    running = f"sum(spans) OVER ({_BY_SECOND}, {taker} {_IN_TURN})"
    fits = layers.column(
        layers.shares, "fits", f"({taker} > 0 AND {running} <= arrayElement([{budgets}], {taker}))"
    )
    share = _fitting(layers, f"{taker} > 0", fits, f"{_BY_SECOND}, {taker}")
    own = "".join(f"{taker} = {i}, {part.chance}, " for i, part in enumerate(parts, start=1))
    could = f"({' OR '.join(part.could for part in parts)})"
    return _Rule(could, fits, fitting=f"({share} * multiIf({own}0))")


def _drawn(layers: _Layers, policy: Probabilistic) -> str:
    """Return the condition that a trace is drawn; what was kept by R >= T is kept by a higher T."""
    share = policy.percentage / 100
    if share >= 1:
        return "1"
    query = layers.query
    layers.needs_randomness = True
    hashed = f"sipHash64({query.text(policy.hash_salt)}, trace_id) < "
    hashed += query.number(round(share * _HASH_MAX))
    return f"if(is_consistent, rejected_less <= {share!r}, {hashed})"


def _condition(
    layers: _Layers,
    policy: Condition,
) -> tuple[str, bool]:
    """Return the expression over a trace, and whether its opposite is meant."""
    query = layers.query
    match policy:
        case AlwaysSample():
            return "1", False
        case Latency():
            lasts = layers.column(
                layers.traces,
                "milliseconds",
                f"intDiv(toInt64(max(start + duration) - min(start)), {_NANO_PER_MILLI})",
            )
            limits = f"{lasts} >= {query.number(policy.milliseconds_min)}"
            if policy.milliseconds_max is not None:
                limits += f" AND {lasts} <= {query.number(policy.milliseconds_max)}"
            return f"({limits})", False
        case StatusCode():
            return layers.trace_has(
                "status", f"status IN ({', '.join(map(str, policy.codes))})"
            ), False
        case StringAttribute():
            return _attribute(layers, policy.key, _texts(query, policy)), policy.is_inverted
        case NumericAttribute():
            return _attribute(layers, policy.key, _numbers(query, policy)), policy.is_inverted
        case BooleanAttribute():
            encoded = AnyValue(bool_value=policy.value).SerializeToString()
            return (
                _attribute(layers, policy.key, f"{{v}} = {query.blob(encoded)}"),
                policy.is_inverted,
            )
        case TraceState():
            members = ", ".join(query.text(f"{policy.key}={value}") for value in policy.values)
            return (
                layers.trace_has(
                    "trace_state",
                    f"arrayExists(m -> trimBoth(m) IN ({members}), splitByChar(',', trace_state))",
                ),
                False,
            )
        case SpanCount():
            limits = f"spans >= {query.number(policy.spans_min)}"
            if policy.spans_max:
                limits += f" AND spans <= {query.number(policy.spans_max)}"
            return f"({limits})", False
        case _:
            assert_never(policy)


def _texts(query: Query, policy: StringAttribute) -> str:
    if not policy.are_expressions:
        encoded = [AnyValue(string_value=value).SerializeToString() for value in policy.values]
        return f"has({query.blobs(encoded)}, {{v}})"
    matches = " OR ".join(f"match({_TEXT}, {query.text(value)})" for value in policy.values)
    return f"startsWith({{v}}, '\\n') AND ({matches})"


def _numbers(query: Query, policy: NumericAttribute) -> str:
    least, most = query.number(policy.value_min), query.number(policy.value_max)
    return (
        f"((startsWith({{v}}, '\\x18') AND {_INTEGER} >= {least} AND {_INTEGER} <= {most}) OR "
        f"(startsWith({{v}}, '!') AND {_DOUBLE} >= {least} AND {_DOUBLE} <= {most}))"
    )


def _attribute(layers: _Layers, key: str, predicate: str) -> str:
    """Return the column that says whether a span or its resource has such a value under `key`.

    `{v}` in the predicate stands for the AnyValue's bytes. Resources are few, so they are asked
    once each, in the catalog.
    """
    name = layers.query.text(key)
    own = predicate.replace("{v}", f"attrs[{name}]")
    theirs = predicate.replace("{v}", f"tupleElement({CAST_RESOURCE}, 'attributes')[{name}]")
    return layers.trace_has(
        "attribute",
        f"({own}) OR resource IN (SELECT resource FROM {{db}}.origins WHERE {theirs})",
    )
