"""Requests that stopped a release, on the real engine: stored, and so are their neighbours."""

from __future__ import annotations

import random

import pytest

from fakes.heavy_requests import HEAVY
from integration.pipeline.conftest import RealStore
from lymer.wire.otlp_proto import CheckedRequest, check_request
from make import make_request, make_span

_SCALE = 500_000
"""Half of what stopped it, which is still far over what a load may use when it is done whole."""


def _good(number: int) -> CheckedRequest:
    return check_request(make_request(make_span(9, 1 + number, name="good")).SerializeToString())


@pytest.mark.parametrize("shape", HEAVY)
def test_a_heavy_request_is_stored_and_holds_nobody_up(real_store: RealStore, shape: str) -> None:
    """All its spans, once; those beside it in the segment and behind it; nothing is set aside."""
    body, spans = HEAVY[shape](_SCALE)
    heavy = check_request(body)

    mixed, behind = real_store.load([_good(1), heavy, _good(2)], [_good(3)])

    assert heavy.span_count == spans
    assert real_store.spans_of(mixed) == spans + 2
    assert real_store.names_of(behind) == ["good"]
    assert real_store.quarantined() == []


@pytest.mark.timeout(120)
def test_all_shapes_mixed_with_good_neighbours(real_store: RealStore) -> None:
    """In any order, several in one segment."""
    chance = random.Random(7)
    requests = [check_request(make(_SCALE // 5)[0]) for make in HEAVY.values()]
    for number in range(20):
        requests.insert(chance.randrange(len(requests) + 1), _good(number))

    (segment,) = real_store.load(requests)

    assert real_store.spans_of(segment) == sum(one.span_count for one in requests)
    assert real_store.quarantined() == []
