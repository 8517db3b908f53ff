"""Whole statements of the reader: constants with `{where}` left to be filled."""

from __future__ import annotations

from typing import Final

from lymer.storage.clickhouse.otlp_format import FORMAT_SETTINGS, STRUCTURE
from lymer.storage.clickhouse.span_columns import CAST_RESOURCE, CAST_SCOPE

__all__ = ["OTLP_SETTINGS", "SELECT_OTLP", "SELECT_RED", "SELECT_SUMMARIES", "message_of"]

_NO_PARENT: Final = "parent_span_id = toFixedString('', 8)"

SELECT_SUMMARIES: Final = f"""
SELECT {{mark}}, trace_id,
    argMinIf((toString(service), toString(name)), (start, span_id), {_NO_PARENT}),
    min(start), max(start + toUInt64(duration)), count(), countIf(status = 2),
    countIf(NOT {_NO_PARENT} AND (trace_id, parent_span_id) NOT IN
        (SELECT trace_id, span_id FROM {{db}}.spans WHERE {{where}})),
    arrayMap((s, n) -> (s, n, sumMapIf(map(toString(service), toUInt64(1)),
        status = 2)[s]), mapKeys(sumMap(map(toString(service), toUInt64(1)))
        AS services), mapValues(services))
FROM {{db}}.spans WHERE {{where}} GROUP BY trace_id
"""
"""Rows: trace id, (root service, root name), start, end, spans, errors, orphans,
[(service, spans, errors)]."""


def _quantile(level: float) -> str:
    """Return the duration below which `level` of the calls stay: the middle of their bucket."""
    # A bucket b holds durations d with floor(8 * log2(d + 1)) = b; its middle is 2^((b + 0.5) / 8).
    return (
        f"toUInt64(round(exp2((keys[least(length(keys), arrayFirstIndex(c -> c >= {level} * n, "
        "cumulated))] + 0.5) / 8) - 1))"
    )


SELECT_RED: Final = f"""
SELECT {{mark}}, s, o, k, n, e, d, {_quantile(0.5)}, {_quantile(0.95)}, {_quantile(0.99)}
FROM
(
    SELECT service AS s, name AS o,
        if(kind BETWEEN 0 AND 5, kind, 0) AS k, sum(calls) AS n, sum(errors) AS e,
        sum(duration_sum) AS d, sumMap(buckets) AS b,
        mapKeys(b) AS keys, arrayCumSum(mapValues(b)) AS cumulated
    FROM {{db}}.red WHERE {{where}} GROUP BY s, o, k
)
"""
"""Rows: service, operation, kind, calls, errors, sum of durations, p50, p95, p99 (nanoseconds)."""

_SPAN: Final = (
    "(substring(trace_id, 1, 16), substring(span_id, 1, 8), toString(trace_state), "
    f"if({_NO_PARENT}, '', substring(parent_span_id, 1, 8)), toString(name), kind, start, "
    "start + toUInt64(duration), attrs, dropped.attrs, events, dropped.events, links, "
    "dropped.links, (toString(status_message), status), flags)"
)
_TYPE: Final = (
    STRUCTURE.removeprefix("resource_spans Array(")
    .removesuffix(")")
    .replace("LowCardinality(String)", "String")
)

SELECT_OTLP: Final = f"""
SELECT {{mark}}, formatRow('Protobuf', resource_spans) FROM
(
SELECT groupArray(CAST(((r.1, r.2, r.3), scopes, r.4), '{_TYPE}')) AS resource_spans
FROM
(
    SELECT {CAST_RESOURCE} AS r, groupArray(((s.1, s.2, s.3, s.4), spans, s.5)) AS scopes
    FROM
    (
        SELECT resource, {CAST_SCOPE} AS s, groupArray({_SPAN}) AS spans
        FROM (SELECT * FROM {{db}}.spans WHERE {{where}} ORDER BY start, span_id)
        GROUP BY resource, scope
    )
    GROUP BY resource
)
)
"""
"""One row with one `TracesData` message behind its length; see `message_of`."""

OTLP_SETTINGS: Final = FORMAT_SETTINGS


def message_of(delimited: bytes) -> bytes:
    """Return a protobuf message without the length before it."""
    head = 1
    while delimited[head - 1] & 0x80:
        head += 1
    return delimited[head:]
