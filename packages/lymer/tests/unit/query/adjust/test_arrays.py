"""The adjusters on arrays, held to the adjusters on columns by traces drawn at random."""

from __future__ import annotations

import random
import time
from typing import Any

import numpy as np
import pytest

from lymer.api.trace_columns import encode_columns
from lymer.model.columns import SpanColumns
from lymer.model.trace_arrays import TraceArrays, to_arrays
from lymer.query.adjust.arrays import adjust_arrays, limit_arrays
from lymer.query.adjust.size import limit_trace_size
from lymer.query.adjust.standard import adjust, standard_adjusters


def random_columns(rng: random.Random, count: int) -> SpanColumns:
    """Return a trace in which ids are shared, parents are lost or in circles, and clocks differ."""
    columns = SpanColumns()
    ids = [f"{rng.randrange(1, max(count, 2)):016x}" for _ in range(count)]
    starts = sorted(rng.randrange(60) for _ in range(count))
    for row in range(count):
        parent = rng.choice([*ids, "", "", f"{900 + row:016x}"])
        kind = rng.choice([1, 2, 3, 4, 5])
        one: dict[str, Any] = {
            "trace_id": "ab" * 16,
            "span_id": ids[row],
            "parent_span_id": parent,
            "service": rng.choice("abc"),
            "name": rng.choice("xyz"),
            "kind": kind,
            "status_code": rng.randrange(3),
            "start_unix_nano": 10**18 + starts[row],
            "duration_nano": rng.randrange(1, 40),
            "host": rng.choice(["", "h1", "h2"]),
            "identity": row,
            "warnings": ["stored"] if rng.random() < 0.1 else [],
            "event_unix_nano": [1] * rng.randrange(3),
            "links": [(rng.choice(["0" * 32, "1" * 32]), "2" * 16, False)] * rng.randrange(3),
            "tags_json": "",
            "event_fields_json": [],
            "process": 0,
        }
        for name, value in one.items():
            getattr(columns, name).append(value)
    for row in range(1, count):
        if rng.random() < 0.1:  # a copy of the one before
            for name in SpanColumns.__slots__:
                if name == "process_json":
                    continue
                values = getattr(columns, name)
                values[row] = values[row - 1]
    columns.process_json = ["{}"]
    return columns


@pytest.mark.parametrize("skew_nano", [0, 7, 10**9])
@pytest.mark.parametrize("seed", range(40))
def test_arrays_are_adjusted_as_columns_are(seed: int, skew_nano: int) -> None:
    """Row by row and word by word, a trace that is cut short included."""
    rng = random.Random(seed)
    columns = random_columns(rng, rng.randrange(1, 40))
    arrays = to_arrays(columns)
    spans_max = rng.choice([0, 0, 10])
    limit_arrays(arrays, spans_max)
    limit_trace_size(columns, spans_max)
    adjust_arrays(arrays, max_clock_skew_adjust_nano=skew_nano)
    adjust(columns, standard_adjusters(max_clock_skew_adjust_nano=skew_nano))
    expected = to_arrays(columns)
    for name in ("span_id", "parent_id", "kind", "status", "start", "duration", "events", "links",
                 "identity"):  # fmt: skip
        assert getattr(arrays, name).tolist() == getattr(expected, name).tolist(), name
    assert [arrays.services[one] for one in arrays.service] == columns.service
    assert [arrays.names[one] for one in arrays.name] == columns.name
    assert arrays.warnings == expected.warnings
    assert arrays.empty_links.sum() == 0


@pytest.mark.parametrize("shape", ["chain", "fan", "bush"])
def test_fifty_thousand_spans_are_encoded_in_no_time(shape: str) -> None:
    """No step is a walk over objects: a second would mean that one has crept in."""
    count = 50_000
    number = np.arange(count, dtype="u8")
    parent = {"chain": number, "fan": np.minimum(number, 1), "bush": (number + 6) // 7}[shape]
    trace = TraceArrays(
        trace_id="ab" * 16,
        span_id=number + 1,
        parent_id=parent.astype("u8"),
        service=(number % 20).astype("u4"),
        name=(number % 60).astype("u4"),
        host=(number % 20).astype("u4"),
        kind=np.full(count, 2, dtype="u1"),
        status=np.zeros(count, dtype="u1"),
        start=number + 10**18,
        duration=np.where(shape == "chain", 2 * count - 2 * number.astype("i8"), count),
        events=np.zeros(count, dtype="u4"),
        links=np.zeros(count, dtype="u4"),
        empty_links=np.zeros(count, dtype="u4"),
        identity=np.zeros(count, dtype="u8"),
        services=[f"service {one}" for one in range(20)],
        names=[f"name {one}" for one in range(60)],
    )
    begun = time.process_time()
    adjust_arrays(trace)
    content = b"".join(encode_columns(trace))
    assert time.process_time() - begun < 1  # 0.1 s on a quiet machine
    assert len(content) > count * 60


def test_times_of_hostile_clocks_are_shown() -> None:
    """Two spans, as far apart as 64 bits can say."""
    trace = to_arrays(random_columns(random.Random(1), 2))
    trace.start = np.array([0, 2**64 - 1], dtype="u8")
    trace.duration = np.array([2**63 - 1, 2**63 - 1], dtype="i8")
    trace.span_id = np.array([1, 2], dtype="u8")
    trace.parent_id = np.array([0, 1], dtype="u8")
    adjust_arrays(trace, max_clock_skew_adjust_nano=0)
    assert b"".join(encode_columns(trace))
