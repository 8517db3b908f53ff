"""Stored spans as a table of numbers, span by span."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from fakes.memory_store.span import Attributes as Pairs
from fakes.memory_store.span import StoredSpan
from lymer.model.span_table import Attributes, SpanSample, SpanTable
from lymer.wire.jaeger_json import to_text

__all__ = ["sampled", "to_span_table"]


def sampled(spans: Iterable[StoredSpan], sample: SpanSample) -> list[StoredSpan]:
    """Return the spans of a sample, by start; which traces a part has is this store's own."""
    found = [
        span
        for span in spans
        if sample.start_unix_nano_min <= span.start_unix_nano <= sample.start_unix_nano_max
        and (not sample.trace_ids or span.trace_id in sample.trace_ids)
        and sample.service in {"", span.service}
        and sample.operation in {"", span.name}
        and _hash(span.trace_id) % sample.one_in == 0
    ]
    return sorted(found, key=lambda span: span.start_unix_nano)


def to_span_table(spans: list[StoredSpan], sample: SpanSample) -> SpanTable:
    """Return the table of some spans."""
    traces = sorted({span.trace_id for span in spans})
    operations = sorted({(span.service, span.name) for span in spans})
    names: dict[tuple[str, str, str], int] = {}
    pairs = []
    for row, span in enumerate(spans):
        found = [("resource", key, to_text(value)) for key, value in _first(span.resource)]
        if sample.has_attributes:
            found += [("span", key, to_text(value)) for key, value in _first(span.attributes)]
        pairs += [(row, names.setdefault(one, len(names))) for one in found]
    return SpanTable(
        trace=np.array([traces.index(span.trace_id) for span in spans], dtype=np.int64),
        span_id=_numbers(span.span_id for span in spans),
        parent_id=_numbers(span.parent_span_id or "0" for span in spans),
        start=np.array([span.start_unix_nano for span in spans], dtype=np.int64),
        duration=np.array([span.duration_nano for span in spans], dtype=np.int64),
        kind=np.array([span.kind for span in spans], dtype=np.int64),
        is_error=np.array([span.status_code == 2 for span in spans], dtype=bool),
        operation=np.array(
            [operations.index((span.service, span.name)) for span in spans], dtype=np.int64
        ),
        operations=operations,
        attributes=Attributes(
            np.array([row for row, _ in pairs], dtype=np.int64),
            np.array([code for _, code in pairs], dtype=np.int64),
            list(names),
        ),
        trace_hi=_numbers(trace[:16] for trace in traces),
        trace_lo=_numbers(trace[16:] for trace in traces),
    )


def _first(pairs: Pairs) -> Pairs:
    return tuple(dict(reversed(pairs)).items())


def _numbers(texts: Iterable[str]) -> np.ndarray:
    return np.array([int(text, 16) for text in texts], dtype=np.uint64)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
