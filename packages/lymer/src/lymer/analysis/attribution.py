"""Which attribute explains why something happens more often in one place than before.

The surplus of events in a window, beyond what the same place had before, is split among an
attribute's values: by how much each one's own rate rose, and by how much more often a value came
that always had a high rate (a cache that misses). Values that were always slow explain nothing, nor
do values that only come more often (a customer that grows), nor those that everything has.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from lymer.analysis.cohort import Fact, Finding
from lymer.analysis.root_cause import Candidate
from lymer.analysis.scan import log_likelihood_ratio
from lymer.analysis.signals import Place, layers_of
from lymer.analysis.span_frame import Floats, Ints, Masks, SpanFrame

__all__ = ["attribute", "clearest", "fact_of"]

EFFECT_MIN: Final = 0.15
"""Part of the surplus, beyond a value's share of the spans, below which it is not told."""
_RATIO_MIN: Final = 6.0
_VALUES_MAX: Final = 1000
_EVENTS_MIN: Final = 5
_ALONG: Final = 0.85


def fact_of(place: Place) -> Fact:
    """Return what a place says, as a fact."""
    if place.key is not None:
        return Fact("resource", place.key, str(place.value))
    scope = {"slow": "self time", "error": "error", "calls": "calls"}.get(place.what, place.what)
    return Fact(scope, place.service, place.operation or "")


def attribute(frame: SpanFrame, candidate: Candidate, during: Masks) -> list[Finding]:
    """Return the attribute values that explain a candidate's surplus, the largest effect first.

    Args:
        frame: The spans, with attributes.
        candidate: Whose.
        during: Which spans started in the window.
    """
    place = candidate.place
    wider = Place(place.what, place.service, place.operation, below=place.below)
    layers = layers_of(frame, wider)
    if not layers:
        return []
    events, member = max(layers, key=lambda layer: _ratio(layer[0], layer[1], during))
    inside, before = member & during, member & ~during
    return _by_value(frame, events, inside, before)


def _ratio(events: Masks, member: Masks, during: Masks) -> float:
    numbers = [
        np.array(float(mask.sum())) for mask in (events & during, member & during, events, member)
    ]
    return float(log_likelihood_ratio(*numbers))


def _by_value(frame: SpanFrame, events: Masks, inside: Masks, before: Masks) -> list[Finding]:
    attributes = frame.table.attributes
    count = len(attributes.names)
    if not count:
        return []
    keys: dict[tuple[str, str], int] = {}
    key_of = np.array([keys.setdefault(name[:2], len(keys)) for name in attributes.names])
    too_many = np.bincount(key_of) > _VALUES_MAX

    def counted(mask: Masks) -> Floats:
        chosen = attributes.code[mask[attributes.row]]
        return np.bincount(chosen, minlength=count).astype(float)

    spans_in, spans_before = counted(inside), counted(before)
    hits_in, hits_before = counted(events & inside), counted(events & before)
    total_in, total_before = float(inside.sum()), float(before.sum())
    hit_in, hit_before = float((events & inside).sum()), float((events & before).sum())
    if not total_in or not total_before or not hit_in:
        return []
    usual = hit_before / total_before
    surplus = hit_in - usual * total_in
    with np.errstate(divide="ignore", invalid="ignore"):
        # Of a value that came seldom before, little is known: its rate is drawn to the usual one.
        own_usual = (hits_before + usual * _EVENTS_MIN) / (spans_before + _EVENTS_MIN)
        rose = hits_in - own_usual * spans_in
        share_in, share_before = spans_in / total_in, spans_before / total_before
        came = total_in * (share_in - share_before) * (own_usual - usual)
        effect = np.where(surplus > 0, np.clip((rose + came) / surplus, 0, 1) - share_in, 0.0)
    ratio = log_likelihood_ratio(
        hits_in, spans_in, np.full(count, hit_in), np.full(count, total_in)
    ) - np.log(max(2, int((spans_in > 0).sum())))
    keep = (effect >= EFFECT_MIN) & (ratio >= _RATIO_MIN) & (hits_in >= _EVENTS_MIN)
    keep &= ~too_many[key_of]
    # Of what comes together the narrower key: the host before its zone.
    values = np.bincount(key_of)[key_of]
    order = sorted(
        np.flatnonzero(keep).tolist(),
        key=lambda at: (-round(float(effect[at]), 2), -int(values[at]), -float(ratio[at])),
    )
    rows = {at: _rows(attributes.row, attributes.code, at, events & inside) for at in order[:100]}
    findings: list[Finding] = []
    told: list[int] = []
    for at in rows:
        fact = Fact(*attributes.names[at])
        same = (one for one, other in zip(findings, told, strict=True) if _is_same(rows, at, other))
        if (main := next(same, None)) is not None:
            main.along.append(fact)
            continue
        told.append(at)
        findings.append(
            Finding(
                fact=fact,
                effect=float(effect[at]),
                support=int(hits_in[at]),
                sample=int(hit_in),
                in_selection=float(hits_in[at] / hit_in),
                in_baseline=float(share_in[at]),
                score=float(ratio[at]),
                example=int(rows[at][0]),
            )
        )
    return findings


def clearest(frame: SpanFrame, place: Place, during: Masks, count: int) -> list[int]:
    """Return the rows of `count` spans that show best what happens at a place in the window."""
    table = frame.table
    rows = during & np.array([one == place.service for one in frame.services])[frame.service]
    if place.operation is not None:
        is_its = np.array([one[1] == place.operation for one in table.operations])
        rows &= is_its[table.operation]
    if place.what == "error":
        rows &= frame.throws
    by = {"queue": frame.queued, "network": frame.network}.get(place.what, frame.self_time)
    if place.what == "calls":
        is_below = np.array([" ".join(one) == place.below for one in table.operations])
        calls = frame.parent[is_below[table.operation] & (frame.parent >= 0)]
        by = np.bincount(calls, minlength=len(frame))
        rows &= by > 0
    found = np.flatnonzero(rows)
    return [int(one) for one in found[np.argsort(-by[found], kind="stable")][:count]]


def _rows(row: Ints, code: Ints, wanted: int, mask: Masks) -> Ints:
    found = row[code == wanted]
    return np.asarray(found[mask[found]])


def _is_same(rows: dict[int, Ints], one: int, other: int) -> bool:
    both = len(np.intersect1d(rows[one], rows[other]))
    either = len(rows[one]) + len(rows[other]) - both
    return either > 0 and both / either >= _ALONG
