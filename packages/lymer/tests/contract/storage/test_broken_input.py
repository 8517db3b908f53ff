"""Broken input of every kind, made at random: stores make the same of it."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from contract.storage.conftest import STORES, Store
from contract.storage.test_oracle import _comparable
from fakes.memory_store import MemoryStore
from lymer.storage.sanitizers import SANITIZERS
from lymer.wire.otlp_proto import check_request
from make import Plain, make_event, make_link, make_request, make_span, write_segment_file

OTHERS = [name for name in STORES if name not in {"memory", "remote"}]
WORDS = [f"word{number:04d}" for number in range(16)]
"""Eight bytes each, to be replaced by what is no text."""
_segment_ids = itertools.count(1_795_365_821_000_000)

TEXTS = st.one_of(
    st.binary(min_size=8, max_size=8),
    st.sampled_from([b"12345678", b"\xf0\x9f\x9b\x92abcd", b"abc\xed\xa0\x80de", b"\0" * 8]),
)
TIMES = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 2**63, 2**64 - 1]))


@pytest.fixture(scope="module", params=OTHERS)
def other(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """Yield a store for the module."""
    opened = Store(STORES[request.param](tmp_path_factory.mktemp("broken")))
    yield opened
    opened.close()


def _body(
    texts: list[bytes], ids: tuple[bytes, ...], times: tuple[int, ...], service: Plain
) -> bytes:
    """Return a request of one span with these at every place there is."""
    words = iter(WORDS)

    span = make_span(
        name=next(words),
        attrs=[(next(words), next(words)), ("fine", [1, {next(words): next(words)}])],
        events=[make_event(next(words), attrs=[(next(words), next(words))])],
        links=[make_link(1, 2, attrs=[(next(words), next(words))])],
        message=next(words),
        trace_state=next(words),
    )
    span.trace_id, span.span_id, span.parent_span_id = ids
    span.start_time_unix_nano, span.end_time_unix_nano = times
    request = make_request(
        span,
        service=None,
        resource=[(next(words), next(words)), *([("service.name", service)] if service else [])],
        scope=next(words),
        scope_attrs=[(next(words), 1)],
    )
    body: bytes = request.SerializeToString()
    for word, text in zip(WORDS, texts, strict=True):
        body = body.replace(word.encode(), text)
    return body


BODIES = st.builds(
    _body,
    st.lists(TEXTS, min_size=len(WORDS), max_size=len(WORDS)),
    st.tuples(st.binary(max_size=18), st.binary(max_size=10), st.binary(max_size=10)),
    st.tuples(TIMES, TIMES),
    st.sampled_from([None, "", "shop", 5, 0.5, True, b"\xff", ["shop"], "x" * 200]),
)
_BODIES_AT_ONCE = 10
"""Requests of a segment: a load and a read cost much more than what is in them."""


@settings(
    max_examples=60 if "LYMER_TEST_THOROUGH" in os.environ else 6,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a load takes 50 ms: no shrinking
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.large_base_example,
    ],
)
@given(bodies=st.lists(BODIES, min_size=_BODIES_AT_ONCE, max_size=_BODIES_AT_ONCE))
def test_broken_input_is_stored_alike(other: Store, tmp_path: Path, bodies: list[bytes]) -> None:
    """Whatever is wrong with it, the span is there, with the same names, times, tags, warnings."""
    memory = Store(MemoryStore())
    traces, requests = set(), []
    for body in bodies:
        checked = check_request(body)
        assert checked.span_count == 1
        # A trace of its own, lest examples meet; what is wrong with the id stays wrong.
        sent = ExportTraceServiceRequest.FromString(checked.body)
        span = sent.resource_spans[0].scope_spans[0].spans[0]
        number = next(_segment_ids)
        size = len(span.trace_id)
        span.trace_id = (number.to_bytes(8, "big") * 3)[-size:] if size else b""
        traces.add(span.trace_id[-16:].rjust(16, b"\0").hex())
        requests.append(sent)
    segment = write_segment_file(tmp_path, *requests, segment_id=next(_segment_ids))
    memory.write_segment(segment)
    other.write_segment(segment)

    for raw in (True, False):
        expected = _comparable(memory.get_traces(sorted(traces), raw=raw, skeleton=False))
        found = _comparable(other.get_traces(sorted(traces), raw=raw, skeleton=False))
        alike = {_without_identity(row) for row in found}
        for wanted in map(_without_identity, expected):
            close = max(alike, key=lambda one: sum(map(str.__eq__, one, wanted)), default="none")
            assert wanted in alike, f"\n{wanted}\n{close}"


def _without_identity(row: tuple[object, ...]) -> str:
    return json.dumps([*row[:10], *row[11:]])


def test_every_sanitizer_has_both_halves_or_none() -> None:
    """What the engine does, the store in memory does; names are different."""
    assert len({one.name for one in SANITIZERS}) == len(SANITIZERS)
    for one in SANITIZERS:
        assert bool(one.when) == bool(one.column) == bool(one.becomes) == (one.repair is not None)
