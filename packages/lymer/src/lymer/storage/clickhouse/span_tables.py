"""Spans of many traces as columns of numbers: rows of one size, nothing is made for each span.

Names are hashes in the rows; one more statement says what the hashes mean. Attributes are pairs of
a span and a hash of key and value; values that few spans have, ids that is, are not read.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lymer.model.span_table import Attributes, SpanSample, SpanTable
from lymer.storage.clickhouse.engine import Engine, Settings
from lymer.storage.clickhouse.origins import KnownOrigins
from lymer.storage.clickhouse.select import Query
from lymer.storage.clickhouse.statements import statement
from lymer.wire.jaeger_json import any_value_text
from lymer.wire.span_rows import Origins

__all__ = ["read_sample_size", "read_span_table"]

_ROW: Final = (
    ("trace_hi", ">u8"),
    ("trace_lo", ">u8"),
    ("span_id", ">u8"),
    ("parent_id", ">u8"),
    ("start", "<u8"),
    ("duration", "<i8"),
    ("kind", "<i4"),
    ("status", "<i4"),
    ("operation", "<u8"),
    ("resource", "<u8"),
)
_PAIR: Final = (("trace_lo", ">u8"), ("span_id", ">u8"), ("pair", "<u8"))
_ERROR: Final = 2
_INT64_MAX: Final = 2**63 - 1
_PAIR_SPANS_MIN: Final = 5
_PAIRS_MAX: Final = 20_000
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)


def read_sample_size(
    engine: Engine, database: str, settings: Settings, sample: SpanSample
) -> tuple[int, int]:
    """Return how many spans and traces a sample has, the traces to a percent."""
    query, where = _where(sample)
    asked = statement("span_table_size").replace("{where}", where)
    spans, traces = engine.select(database, asked, 2, query.parameters, settings)
    return sum(spans), sum(traces)  # of a tenant without a store there is no row


def read_span_table(
    engine: Engine, database: str, settings: Settings, sample: SpanSample, origins: KnownOrigins
) -> SpanTable:
    """Return the spans of a sample, in the order of their starts; see `SpanReader`."""
    query, where = _where(sample)

    def asked(name: str) -> str:
        return statement(name).replace("{where}", where)

    rows = engine.select_array(database, asked("span_table"), _ROW, query.parameters, settings)
    # Asked afterwards: of spans that arrived in between it knows more than is needed.
    operations = _meanings(
        engine.select(database, asked("span_table_names"), 1, query.parameters, settings)
    )
    rows = rows[np.argsort(rows["start"], kind="stable")]
    trace, trace_hi, trace_lo = _traces(rows)
    operation, names = _placed(rows["operation"], operations)
    found, places = np.unique(rows["resource"], return_inverse=True)
    known = origins.of(found.tolist(), (), where, query.parameters)
    attributes = _resource_attributes(found, places, known)
    if sample.has_attributes and len(rows):
        own = _span_attributes(engine, database, settings, query, where, rows)
        attributes = _joined(attributes, own)
    return SpanTable(
        trace=trace,
        span_id=rows["span_id"].astype(np.uint64),
        parent_id=rows["parent_id"].astype(np.uint64),
        start=np.minimum(rows["start"], np.uint64(_INT64_MAX)).astype(np.int64),
        duration=rows["duration"].astype(np.int64),
        kind=rows["kind"].astype(np.int64),
        is_error=rows["status"] == _ERROR,
        operation=operation,
        operations=names,
        attributes=attributes,
        trace_hi=trace_hi,
        trace_lo=trace_lo,
    )


def _where(sample: SpanSample) -> tuple[Query, str]:
    query = Query()
    first, last = query.number(sample.start_unix_nano_min), query.number(sample.start_unix_nano_max)
    conditions = [f"start BETWEEN {first} AND {last}"]
    if sample.one_in > 1:
        conditions.append(f"cityHash64(trace_id) % {query.number(sample.one_in)} = 0")
    if sample.trace_ids:
        ids = ", ".join(query.blob(bytes.fromhex(one)) for one in sample.trace_ids)
        conditions.append(f"trace_id IN ({ids})")
    if sample.service:
        conditions.append(f"service = {query.text(sample.service)}")
    if sample.operation:
        conditions.append(f"name = {query.text(sample.operation)}")
    return query, " AND ".join(conditions)


def _meanings(columns: list[list[Any]]) -> dict[int, tuple[str, str]]:
    return {
        number: (service.decode(errors="replace"), name.decode(errors="replace"))
        for row in columns[0]
        for number, service, name in row
    }


def _traces(
    rows: NDArray[np.void],
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the number of each span's trace, and both halves of each number's id."""
    high, low = rows["trace_hi"].astype(np.uint64), rows["trace_lo"].astype(np.uint64)
    order = np.lexsort((low, high))
    is_new = np.append(True, (np.diff(high[order]) != 0) | (np.diff(low[order]) != 0))
    is_new = is_new[: len(order)]
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.cumsum(is_new) - 1
    return number, high[order][is_new], low[order][is_new]


def _placed(
    hashes: NDArray[np.uint64], meanings: dict[int, tuple[str, str]]
) -> tuple[NDArray[np.int64], list[tuple[str, str]]]:
    found, places = np.unique(hashes, return_inverse=True)
    names = [meanings.get(one, ("", "")) for one in found.tolist()]
    return places.astype(np.int64), names


def _resource_attributes(
    found: NDArray[np.uint64], places: NDArray[np.intp], known: Origins
) -> Attributes:
    """Return pairs of spans and their resources' attributes: few resources, many spans."""
    names: dict[tuple[str, str, str], int] = {}
    codes_of = []
    for one in found.tolist():
        pairs = known.resources[one]
        # The first of equal keys counts, as everywhere.
        values = {key.decode(errors="replace"): value for key, value in reversed(pairs)}
        codes_of.append(
            [
                names.setdefault(("resource", key, any_value_text(value)), len(names))
                for key, value in values.items()
                if key != "service.name"
            ]
        )
    counts = np.array([len(codes) for codes in codes_of], dtype=np.int64)
    flat = np.array([code for codes in codes_of for code in codes], dtype=np.int64)
    first = np.cumsum(counts) - counts
    length = counts[places] if len(places) else counts[:0]
    row = np.repeat(np.arange(len(places)), length)
    shift = np.repeat(first[places] - (np.cumsum(length) - length), length)
    return Attributes(row, flat[np.arange(len(row)) + shift], list(names))


def _span_attributes(
    engine: Engine,
    database: str,
    settings: Settings,
    query: Query,
    where: str,
    rows: NDArray[np.void],
) -> Attributes:
    """Return pairs of spans and their own attributes, without values that hardly any has."""
    limits = {"spans_min": _PAIR_SPANS_MIN, "pairs_max": _PAIRS_MAX}
    named = statement("span_table_values", **limits).replace("{where}", where)
    numbers, keys, values = engine.select(database, named, 3, query.parameters, settings)
    asked = statement("span_table_attributes", **limits).replace("{where}", where)
    pairs = engine.select_array(database, asked, _PAIR, query.parameters, settings)
    known = np.array(numbers, dtype=np.uint64)
    names = [
        ("span", key.decode(errors="replace"), any_value_text(value))
        for key, value in zip(keys, values, strict=True)
    ]
    if not len(known) or not len(pairs):
        return Attributes()
    row = _places(_identity(rows), _identity(pairs))
    by_number = np.argsort(known)
    code = _places(known[by_number], pairs["pair"].astype(np.uint64))
    is_known = (row >= 0) & (code >= 0)
    return Attributes(row[is_known], by_number[code[is_known]].astype(np.int64), names)


def _identity(rows: NDArray[np.void]) -> NDArray[np.uint64]:
    return np.asarray(
        rows["span_id"].astype(np.uint64) ^ (rows["trace_lo"].astype(np.uint64) * _MIX)
    )


def _places(known: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the place of each wanted value among the known ones, -1 if it is not there."""
    order = np.argsort(known, kind="stable")
    at = np.minimum(np.searchsorted(known[order], wanted), len(known) - 1)
    found = order[at]
    return np.where(known[found] == wanted, found, -1)


def _joined(one: Attributes, other: Attributes) -> Attributes:
    return Attributes(
        np.concatenate([one.row, other.row]),
        np.concatenate([one.code, other.code + len(one.names)]),
        [*one.names, *other.names],
    )
