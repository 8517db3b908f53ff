"""A trace as arrays says what the same trace says as columns, whatever is odd about it."""

from __future__ import annotations

import numpy as np
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from contract.storage.conftest import READING, Store, Write
from contract.storage.corpus import corpus_requests
from lymer.model.trace_arrays import TraceArrays, to_arrays
from make import make_event, make_link, make_request, make_span, trace_hex

pytestmark = READING


def odd_spans() -> list[Span]:
    """Return what a store has to look at twice: copies, shared ids, warnings, odd numbers."""
    copied = make_span(9, 5, 1, offset_nano=50, attrs={"telemetry.sdk.name": "other", "a": 1})
    unset = make_span(9, 6, 1, kind=77, status=9)
    unset.start_time_unix_nano = 0
    backwards = make_span(9, 7, 5, duration_nano=-5)
    late = make_span(9, 8, 7)
    late.end_time_unix_nano = 2**64 - 1
    return [
        make_span(9, 1, kind=3, duration_nano=100, links=[make_link(0, 0), make_link(4, 4)]),
        make_span(9, 1, kind=2, offset_nano=10, duration_nano=80),
        make_span(9, 3, 99, name="ä" * 40, events=[make_event("one"), make_event("two")]),
        copied,
        Span.FromString(copied.SerializeToString()),
        make_span(9, 5, 1, offset_nano=50, attrs={"telemetry.sdk.name": "other", "a": 2}),
        unset,
        backwards,
        late,
        make_span(9, 11, 11, name=""),
        make_span(9, 12, 13, attrs={"@jaeger@warnings": ["said before"]}),
        make_span(9, 13, 12, links=[Span.Link(trace_id=b"\0" * 16, span_id=b"\0" * 8)]),
    ]


def assert_same(ours: TraceArrays, theirs: TraceArrays) -> None:
    """Compare; names may stand at other places, identities may be other numbers."""
    assert ours.trace_id == theirs.trace_id
    for name in (
        "span_id", "parent_id", "kind", "status", "start", "duration", "events", "links",
        "empty_links",
    ):  # fmt: skip
        assert getattr(ours, name).tolist() == getattr(theirs, name).tolist(), name
    for places, texts in (("service", "services"), ("name", "names")):
        assert [getattr(ours, texts)[one] for one in getattr(ours, places)] == [
            getattr(theirs, texts)[one] for one in getattr(theirs, places)
        ]
    for name in ("identity", "host"):
        mine, other = (np.unique(getattr(one, name), return_inverse=True)[1] for one in
                       (ours, theirs))  # fmt: skip
        assert len(set(zip(mine.tolist(), other.tolist(), strict=True))) == len(set(mine.tolist()))
        assert len(set(mine.tolist())) == len(set(other.tolist())), name
    assert sorted(map(repr, ours.warnings.items())) == sorted(map(repr, theirs.warnings.items()))


def test_arrays_are_the_columns(store: Store, write: Write) -> None:
    """Of every trace of the corpus; none needs identities."""
    write(*corpus_requests())
    for number in range(1, 7):
        ours = store.get_trace_arrays(trace_hex(number))
        columns = store.get_traces([trace_hex(number)], raw=False, skeleton=True)
        columns.identity = [0] * len(columns)
        ours.identity = np.zeros(len(ours), dtype="u8")
        assert len(ours) == len(columns) > 0
        assert_same(ours, to_arrays(columns))


def test_odd_spans_are_the_same_in_arrays(store: Store, write: Write) -> None:
    """Copies are told from spans that only share an id; warnings come along."""
    write(
        make_request(*odd_spans()[:6], resource={"telemetry.sdk.name": "sdk", "host.name": "a"}),
        make_request(*odd_spans()[6:], service="cart", resource={"host.id": "b"}),
    )
    ours = store.get_trace_arrays(trace_hex(9))
    theirs = to_arrays(store.get_traces([trace_hex(9)], raw=False, skeleton=True))
    # Of spans with one id and one start, the order is nobody's.
    order = [np.lexsort((one.identity, one.duration, one.kind, one.span_id, one.start)) for one in
             (ours, theirs)]  # fmt: skip
    assert len(ours) == len(theirs) == 12
    assert len(ours.warnings) == len(theirs.warnings) >= 4
    assert sorted(map(repr, ours.warnings.values())) == sorted(map(repr, theirs.warnings.values()))
    ours.warnings, theirs.warnings = {}, {}
    for trace, rows in zip((ours, theirs), order, strict=True):
        for name in ("span_id", "parent_id", "kind", "status", "start", "duration", "events",
                     "links", "empty_links", "service", "name", "host", "identity"):  # fmt: skip
            setattr(trace, name, getattr(trace, name)[rows])
    assert len(set(ours.identity.tolist())) == len(set(theirs.identity.tolist())) == 11
    ours.identity = theirs.identity = np.zeros(12, dtype="u8")
    assert_same(ours, theirs)


def test_a_trace_is_not_another(store: Store, write: Write) -> None:
    """Rows of one trace only; of one that is not there, none."""
    write(make_request(make_span(1, 1), make_span(2, 2), make_span(2, 3)))
    for number in (0, 1, 2):
        assert len(store.get_trace_arrays(trace_hex(number or 404))) == number
