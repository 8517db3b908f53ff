"""One trace as binary columns, for an interface that draws every span: docs/trace-columns.md."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from lymer.analysis.forest import critical_path, depth_first, parent_rows, self_times
from lymer.model.trace_arrays import TraceArrays

__all__ = ["MEDIA_TYPE", "encode_columns"]

MEDIA_TYPE: Final = "application/vnd.lymer.trace-columns"
_MAGIC: Final = b"LYTC"
_VERSION: Final = 1
_ALIGNMENT: Final = 8
_ERROR, _ORPHAN, _WARNED, _CRITICAL, _CUT = 1, 2, 4, 8, 16
_STATUS_ERROR: Final = 2
_TYPES: Final = {"u8x8": ">u8", "i32": "<i4", "u32": "<u4", "u8": "u1", "f64": "<f8"}
_Column = tuple[str, str, bytes]
"""Name, type, content."""


def encode_columns(trace: TraceArrays, part: NDArray[np.bool_] | None = None) -> Iterator[bytes]:
    """Yield one trace, its head first, then a column at a time.

    Args:
        trace: Adjusted.
        part: The spans to tell of, at least one; None is all. What is reckoned (self times, the
            critical path, warnings of lost parents) is that of the whole trace.
    """
    start, duration = trace.offsets(), trace.durations()
    parent = parent_rows(trace.span_id, trace.parent_id)
    path = critical_path(parent, start, duration, trace.kind)
    own = self_times(parent, start, duration)
    flags = _flags(trace, path.row)
    kept = np.arange(len(trace)) if part is None else np.flatnonzero(part)
    place = np.full(len(trace) + 1, -1, dtype=np.int64)  # the last is what a root's parent is
    place[kept] = np.arange(len(kept))
    order = depth_first(place[parent[kept]], start[kept])
    rows = kept[order.rows]
    new_row = np.full(len(trace) + 1, -1, dtype=np.int64)
    new_row[rows] = np.arange(len(rows))
    if part is not None:
        flags[(parent >= 0) & (new_row[parent] < 0)] |= _CUT
    sections = new_row[path.row] >= 0
    apart = trace.start - trace.start.min()
    warnings = [
        [int(new_row[row]), text]
        for row, texts in sorted(trace.warnings.items())
        for text in texts
        if new_row[row] >= 0
    ]

    def column(name: str, kind: str, values: NDArray[Any]) -> _Column:
        return name, kind, values.astype(_TYPES[kind]).tobytes()

    columns: list[_Column] = [
        column("spanId", "u8x8", trace.span_id[rows]),
        column("parent", "i32", new_row[parent[rows]]),
        column("depth", "u32", order.depth),
        column("subtree", "u32", order.size),
        column("service", "u32", trace.service[rows]),
        column("name", "u32", trace.name[rows]),
        column("kind", "u8", trace.kind[rows]),
        column("status", "u8", trace.status[rows]),
        column("flags", "u8", flags[rows]),
        column("start", "f64", apart[rows]),
        column("duration", "f64", trace.duration[rows]),
        column("self", "f64", own[rows]),
        column("events", "u32", trace.events[rows]),
        column("links", "u32", trace.links[rows]),
        column("criticalSpan", "u32", new_row[path.row[sections]]),
        column("criticalStart", "f64", path.start[sections]),
        column("criticalEnd", "f64", path.end[sections]),
        ("warnings", "json", orjson.dumps(warnings)),
    ]
    yield _head(trace, len(rows), columns)
    for _, _, content in columns:
        yield content + bytes(-len(content) % _ALIGNMENT)


def _flags(trace: TraceArrays, critical_rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    is_orphan = (trace.parent_id != 0) & ~np.isin(trace.parent_id, trace.span_id)
    flags = np.zeros(len(trace), dtype=np.uint8)
    flags[trace.status == _STATUS_ERROR] = _ERROR
    flags[is_orphan] |= _ORPHAN
    flags[list(trace.warnings)] |= _WARNED
    flags[critical_rows] |= _CRITICAL
    return flags


def _head(trace: TraceArrays, count: int, columns: list[_Column]) -> bytes:
    """Return magic, version, length and the JSON that says what follows where."""
    offset, placed = 0, []
    for name, kind, content in columns:
        placed.append({"name": name, "type": kind, "offset": offset, "bytes": len(content)})
        offset += len(content) + -len(content) % _ALIGNMENT
    text = orjson.dumps(
        {
            "traceId": trace.trace_id,
            "startUnixNano": str(trace.origin_unix_nano),
            "spanCount": count,
            "services": trace.services,
            "names": trace.names,
            "columns": placed,
        }
    )
    text += b" " * (-(len(text) + 12) % _ALIGNMENT)
    return _MAGIC + struct.pack("<II", _VERSION, len(text)) + text
