"""What is different about some spans: attribute values and work that others have less often.

Each span is a set of facts: values of its own, its resource's and its callees' attributes, what it
calls, what took unusually long by itself below it, calls made unusually often. A fact's effect is
how much larger the part of the selection is that has it; its likelihood ratio says whether that can
be chance, against as many tries as there are facts. Facts of the same spans are one finding.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from lymer.analysis.scan import log_likelihood_ratio
from lymer.analysis.signals import beyond_usual
from lymer.analysis.span_frame import Floats, Ints, Masks, SpanFrame

__all__ = ["Fact", "Finding", "differences"]

RATIO_MIN: Final = 8.0
"""Log likelihood ratio of one fact above which a difference is none of chance, beside the logarithm
of the number of facts."""
EFFECT_MIN: Final = 0.05
"""Parts of traces; a smaller difference is not worth a look however sure it is."""
FINDINGS_MAX: Final = 50
_SAME: Final = 0.85
"""Facts whose traces overlap so much (Jaccard) are one finding."""
_FACTS_COMPARED_MAX: Final = 200
_VALUES_MAX: Final = 1000
"""Values of one key; a key with more is an id, which nothing can be concluded from."""
_VALUES_SHOWN: Final = 6
_UNUSUAL: Final = (0.95,)


@dataclass(frozen=True, slots=True, order=True)
class Fact:
    """Something a span has or has not."""

    scope: str
    """`span` or `resource`: an attribute; `operation`: it calls one; `self time`: one took
    unusually long by itself; `calls`: one was made unusually often; `error`: one failed by
    itself."""
    key: str
    """Of the attribute, or the service."""
    value: str
    """Of the attribute, or the operation."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fact that the selection has more often, or less often, than the baseline."""

    fact: Fact
    effect: float
    """Part of the selection that has it, minus that of the baseline: -1 to 1."""
    support: int
    """Spans of the selection that have it."""
    sample: int
    """Spans of the selection that were looked at."""
    in_selection: float
    in_baseline: float
    score: float
    """Log likelihood ratio, less what the number of facts makes of chance."""
    along: list[Fact] = field(default_factory=list)
    """Facts that the same spans have."""
    example: int = -1
    """Row of a span of the selection that has it."""
    values: list[tuple[str, float, float]] = field(default_factory=list)
    """Of an attribute: the values of its key that most spans have, as (value, part of the
    selection, part of the baseline), with this one among them."""
    own: int | None = None
    """Of an attribute: spans of the selection that have it themselves; what the others have is a
    callee's."""


def differences(
    frame: SpanFrame, selected: Masks, baseline: Masks, *, without: frozenset[Fact] = frozenset()
) -> list[Finding]:
    """Return what the selected spans have more often than the baseline, the largest effect first.

    Args:
        frame: All spans of the traces of both.
        selected: One entry for each span.
        baseline: Likewise; a span in both counts as selected.
        without: Facts not told, such as what the question itself asked for.
    """
    baseline = baseline & ~selected
    sizes = int(selected.sum()), int(baseline.sum())
    if not all(sizes):
        return []
    facts, unit, fact = _facts(frame, _owners(frame, selected | baseline))
    have = np.bincount(fact[selected[unit]], minlength=len(facts)).astype(float)
    have_not = np.bincount(fact[baseline[unit]], minlength=len(facts)).astype(float)
    part, usual = have / sizes[0], have_not / sizes[1]
    total, of = have + have_not, float(sum(sizes))
    more = log_likelihood_ratio(have, np.full(len(facts), float(sizes[0])), total, np.array(of))
    tries = np.log(max(len(facts), 2))
    score = more - tries
    keep = (score >= RATIO_MIN) & (part - usual >= EFFECT_MIN)
    keep &= np.array([one not in without for one in facts], dtype=bool)
    chosen = np.flatnonzero(keep)
    # The largest effect first; of equal ones the surer, and an attribute before what it leads to.
    order = sorted(
        chosen.tolist(), key=lambda at: (-round(float(part[at] - usual[at]), 2), -float(score[at]))
    )
    findings: list[Finding] = []
    told: list[int] = []
    units_of = _units_of(order[:_FACTS_COMPARED_MAX], unit, fact, selected)
    for at in order[:_FACTS_COMPARED_MAX]:
        units = units_of[at]
        for other, place in zip(findings, told, strict=True):
            if _overlap(units, units_of[place]) >= _SAME:
                other.along.append(facts[at])
                break
        else:
            told.append(at)
            findings.append(
                Finding(
                    fact=facts[at],
                    effect=float(part[at] - usual[at]),
                    support=int(have[at]),
                    sample=sizes[0],
                    in_selection=float(part[at]),
                    in_baseline=float(usual[at]),
                    score=float(score[at]),
                    example=int(units[0]) if len(units) else -1,
                )
            )
    attributes = frame.table.attributes
    for place, one in enumerate(findings[:FINDINGS_MAX]):
        if one.fact.scope in {"span", "resource"}:
            one.values.extend(_values_beside(one.fact, facts, part, usual))
            code = attributes.names.index((one.fact.scope, one.fact.key, one.fact.value))
            own = int(selected[attributes.row[attributes.code == code]].sum())
            findings[place] = replace(one, own=own)
    return findings[:FINDINGS_MAX]


def _values_beside(
    fact: Fact, facts: list[Fact], part: Floats, usual: Floats
) -> list[tuple[str, float, float]]:
    """Return the values of a fact's key with their parts, the most frequent first."""
    same = [at for at, one in enumerate(facts) if (one.scope, one.key) == (fact.scope, fact.key)]
    same.sort(key=lambda at: (facts[at] != fact, -max(part[at], usual[at])))
    shown = sorted(same[:_VALUES_SHOWN], key=lambda at: -max(part[at], usual[at]))
    return [(facts[at].value, float(part[at]), float(usual[at])) for at in shown]


def _owners(frame: SpanFrame, wanted: Masks) -> Ints:
    """Return of each span the nearest wanted one at or above it, -1 if there is none."""
    rows = np.arange(len(frame))
    up = np.append(np.where(wanted, rows, frame.parent), -1)  # -1 stays -1
    while True:
        further = up[up]
        if np.array_equal(further, up):
            owner = up[:-1]
            return np.where((owner >= 0) & wanted[owner], owner, -1)
        up = further


def _units_of(facts: list[int], unit: Ints, fact: Ints, selected: Masks) -> dict[int, Ints]:
    """Return the selected spans that have each fact."""
    wanted = np.isin(fact, facts) & selected[unit]
    unit, fact = unit[wanted], fact[wanted]
    order = np.argsort(fact, kind="stable")
    unit, fact = unit[order], fact[order]
    first = np.searchsorted(fact, facts, side="left")
    end = np.searchsorted(fact, facts, side="right")
    return {one: unit[a:b] for one, a, b in zip(facts, first, end, strict=True)}


def _overlap(one: Ints, other: Ints) -> float:
    both = len(np.intersect1d(one, other, assume_unique=True))
    either = len(one) + len(other) - both
    return both / either if either else 1.0


def _facts(frame: SpanFrame, owner: Ints) -> tuple[list[Fact], Ints, Ints]:
    """Return all facts, and which span has which: each pair once.

    Args:
        frame: The spans.
        owner: Whose fact a fact of each span is; -1: nobody's.
    """
    table = frame.table
    facts: list[Fact] = []
    rows: list[Ints] = []
    codes: list[Ints] = []

    def add(named: list[Fact], row: Ints, code: Ints) -> None:
        is_somebodys = owner[row] >= 0
        rows.append(owner[row[is_somebodys]])
        codes.append(code[is_somebodys] + len(facts))
        facts.extend(named)

    attributes = table.attributes
    values: dict[tuple[str, str], int] = {}
    for scope, key, _ in attributes.names:
        values[scope, key] = values.get((scope, key), 0) + 1
    is_told = np.array(
        [values[scope, key] <= _VALUES_MAX for scope, key, _ in attributes.names], dtype=bool
    )
    if len(attributes.row):
        told = is_told[attributes.code]
        named = [Fact(*name) for name in attributes.names]
        add(named, attributes.row[told], attributes.code[told])
    operations = table.operations
    every = np.arange(len(frame))
    below = every[owner != every]
    add([Fact("operation", *one) for one in operations], below, table.operation[below])
    for mask in beyond_usual(frame.self_time, table.operation, _UNUSUAL):
        slow = np.flatnonzero(mask)
        add([Fact("self time", *one) for one in operations], slow, table.operation[slow])
    failed = np.flatnonzero(frame.throws)
    add([Fact("error", *one) for one in operations], failed, table.operation[failed])
    pair, times = np.unique(owner * len(operations) + table.operation, return_counts=True)
    (often,) = beyond_usual(times.astype(np.int64), pair % len(operations), (0.8,))
    often &= pair >= 0
    unit, operation = pair[often] // len(operations), pair[often] % len(operations)
    rows.append(unit)
    codes.append(operation + len(facts))
    facts.extend(Fact("calls", *one) for one in operations)
    both = np.unique(np.concatenate(rows) * len(facts) + np.concatenate(codes))
    return facts, both // len(facts), both % len(facts)
