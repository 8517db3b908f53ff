"""Random changes to real requests, from the door to the table: no crash, no neighbour lost."""

from __future__ import annotations

import os
import random
from collections import Counter
from typing import Final

from fakes.engine_lines import engine_lines
from fakes.recorded_otlp import mutated, otlp_bodies
from integration.pipeline.conftest import RealStore
from lymer.errors import UndecodableError
from lymer.tenancy import DEFAULT_TENANT
from lymer.wire.otlp_proto import CheckedRequest, canonical_request, check_request
from make import make_request, make_span

_MUTATIONS: Final = 2_500
_PER_SEGMENT: Final = 25


def _accepted(chance: random.Random) -> list[CheckedRequest]:
    """Return mutated requests that pass the door; the others are refused and nothing else."""
    bodies, accepted = otlp_bodies(), []
    for _ in range(_MUTATIONS):
        body = mutated(chance.choice(bodies), chance)
        try:
            accepted.append(check_request(body))
        except UndecodableError:
            continue
    return accepted


def _neighbour(number: int) -> CheckedRequest:
    span = make_span(b"neighbour" + number.to_bytes(7, "big"), number + 1, name="neighbour")
    return check_request(make_request(span).SerializeToString())


def test_mutated_requests_are_stored_and_so_are_their_neighbours(real_store: RealStore) -> None:
    """Every span the door counted is in the table, once; every neighbour too."""
    seed = int(os.environ.get("LYMER_FUZZ_SEED") or random.SystemRandom().randrange(2**32))
    again = f"again with LYMER_FUZZ_SEED={seed}"
    accepted = _accepted(random.Random(seed))
    assert 100 < len(accepted) < _MUTATIONS, again
    segments = [
        accepted[start : start + _PER_SEGMENT] for start in range(0, len(accepted), _PER_SEGMENT)
    ]

    ids = real_store.load(
        *([_neighbour(2 * n), *part, _neighbour(2 * n + 1)] for n, part in enumerate(segments))
    )

    assert real_store.quarantined() == [], again
    for segment_id, part in zip(ids, segments, strict=True):
        expected = 2 + sum(one.span_count for one in part)
        assert real_store.spans_of(segment_id) == expected, f"segment {segment_id}, {again}"
    found = engine_lines(
        real_store.engine,
        "SELECT uniqExact(trace_id), count() FROM lymer.spans "
        "WHERE startsWith(trace_id, 'neighbour')",
    )
    assert found == [f"{2 * len(segments)}\t{2 * len(segments)}"], again
    _read_everything_back(real_store)


def _read_everything_back(real_store: RealStore) -> None:
    """Whatever was stored can be shown: every span once; a summary counts no copy of a span."""
    store = real_store.store.for_tenant(DEFAULT_TENANT)
    lines = engine_lines(
        real_store.engine,
        "SELECT lower(hex(trace_id)) AS id, count(), uniqExact((span_id, parent_span_id, "
        "service, name, kind, start, duration, status)) FROM lymer.spans GROUP BY id",
    )
    rows = [line.split("\t") for line in lines]
    counts = {trace_id: int(spans) for trace_id, spans, _ in rows}
    distinct = {trace_id: int(spans) for trace_id, _, spans in rows}
    for raw in (True, False):
        found = Counter(store.get_traces(list(counts), raw=raw, skeleton=False).trace_id)
        assert found == counts
    assert {one.trace_id: one.span_count for one in store.get_summaries(list(counts))} == distinct
    assert check_request(store.get_otlp(list(counts))).span_count == sum(counts.values())


def test_writing_a_request_anew_keeps_its_spans() -> None:
    """The repair neither drops nor invents a span, and a second one changes nothing."""
    seed = int(os.environ.get("LYMER_FUZZ_SEED") or random.SystemRandom().randrange(2**32))
    for request in _accepted(random.Random(seed)):
        canonical = canonical_request(request.body)

        assert check_request(canonical) == CheckedRequest(canonical, request.span_count), seed
        assert canonical_request(canonical) == canonical, seed
