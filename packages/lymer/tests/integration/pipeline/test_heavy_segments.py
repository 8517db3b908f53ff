"""Requests that stopped a release, on the real engine: stored, and so are their neighbours."""

from __future__ import annotations

import os
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
    if spans > 1_000_000:
        assert real_store.removed == [behind, mixed], "it waited"
    assert real_store.quarantined() == []


@pytest.mark.timeout(120)
def test_shapes_in_any_mixture_leave_their_neighbours_alone(real_store: RealStore) -> None:
    """Several in a segment and in several segments: all is stored, and no neighbour was last."""
    seed = int(os.environ.get("LYMER_FUZZ_SEED") or random.SystemRandom().randrange(2**32))
    chance = random.Random(seed)
    segments: list[list[CheckedRequest]] = [[] for _ in range(4)]
    for make in HEAVY.values():
        body, _ = make(_SCALE // chance.choice([5, 10, 20]))
        chance.choice(segments[:3]).append(check_request(body))
    for number in range(20):
        segment = chance.choice(segments)
        segment.insert(chance.randrange(len(segment) + 1), _good(number))

    ids = real_store.load(*segments)

    for segment_id, requests in zip(ids, segments, strict=True):
        expected = sum(one.span_count for one in requests)
        assert real_store.spans_of(segment_id) == expected, f"LYMER_FUZZ_SEED={seed}"
    assert real_store.quarantined() == []
