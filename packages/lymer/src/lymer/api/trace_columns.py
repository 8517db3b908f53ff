"""One trace as binary columns, for an interface that draws every span: docs/trace-columns.md."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import orjson

from lymer.analysis.trace_tree import critical_path, depth_first, self_times
from lymer.model.columns import SpanColumns
from lymer.query.adjust.parents import find_orphan_rows, find_parent_rows

__all__ = ["MEDIA_TYPE", "encode_columns"]

MEDIA_TYPE: Final = "application/vnd.lymer.trace-columns"
_MAGIC: Final = b"LYTC"
_VERSION: Final = 1
_ALIGNMENT: Final = 8
_ERROR, _ORPHAN, _WARNED, _CRITICAL = 1, 2, 4, 8
_STATUS_ERROR: Final = 2
_Column = tuple[str, str, bytes]
"""Name, type, content."""


def encode_columns(trace: SpanColumns) -> Iterator[bytes]:
    """Yield one trace, its head first, then a column at a time."""
    origin = min(trace.start_unix_nano)
    start = [one - origin for one in trace.start_unix_nano]
    parent = find_parent_rows(trace)
    order = depth_first(parent, start)
    path = critical_path(parent, start, trace.duration_nano, trace.kind)
    new_row = np.empty(len(trace) + 1, dtype=np.int64)
    new_row[np.array(order.rows, dtype=np.int64)] = np.arange(len(trace))
    new_row[-1] = -1  # what a root's parent is
    rows = np.array(order.rows, dtype=np.int64)

    def ordered(values: Sequence[Any], kind: str) -> bytes:
        return np.array(values, dtype=kind)[rows].tobytes()

    services = {name: place for place, name in enumerate(dict.fromkeys(trace.service))}
    names = {name: place for place, name in enumerate(dict.fromkeys(trace.name))}
    parents = new_row[np.array(parent, dtype=np.int64)]
    critical_rows = new_row[np.array(path.row, dtype=np.int64)]
    warnings = [
        [int(new_row[row]), text] for row, texts in enumerate(trace.warnings) for text in texts
    ]
    columns: list[_Column] = [
        ("spanId", "u8x8", b"".join(bytes.fromhex(trace.span_id[row]) for row in order.rows)),
        ("parent", "i32", parents[rows].astype("<i4").tobytes()),
        ("depth", "u32", np.array(order.depth, dtype="<u4").tobytes()),
        ("subtree", "u32", np.array(order.size, dtype="<u4").tobytes()),
        ("service", "u32", ordered([services[name] for name in trace.service], "<u4")),
        ("name", "u32", ordered([names[name] for name in trace.name], "<u4")),
        ("kind", "u8", ordered(trace.kind, "u1")),
        ("status", "u8", ordered(trace.status_code, "u1")),
        ("flags", "u8", np.array(_flags(trace, path.row), dtype="u1")[rows].tobytes()),
        ("start", "f64", ordered(start, "<f8")),
        ("duration", "f64", ordered(trace.duration_nano, "<f8")),
        ("self", "f64", ordered(self_times(parent, start, trace.duration_nano), "<f8")),
        ("events", "u32", ordered([len(events) for events in trace.event_unix_nano], "<u4")),
        ("links", "u32", ordered([len(links) for links in trace.links], "<u4")),
        ("criticalSpan", "u32", critical_rows.astype("<u4").tobytes()),
        ("criticalStart", "f64", np.array(path.start, dtype="<f8").tobytes()),
        ("criticalEnd", "f64", np.array(path.end, dtype="<f8").tobytes()),
        ("warnings", "json", orjson.dumps(warnings)),
    ]
    yield _head(trace.trace_id[0], origin, list(services), list(names), columns, len(trace))
    for _, _, content in columns:
        yield content + bytes(-len(content) % _ALIGNMENT)


def _flags(trace: SpanColumns, critical_rows: Sequence[int]) -> list[int]:
    flags = [
        (_ERROR if status == _STATUS_ERROR else 0) | (_WARNED if texts else 0)
        for status, texts in zip(trace.status_code, trace.warnings, strict=True)
    ]
    for row in find_orphan_rows(trace):
        flags[row] |= _ORPHAN
    for row in critical_rows:
        flags[row] |= _CRITICAL
    return flags


def _head(
    trace_id: str,
    origin: int,
    services: list[str],
    names: list[str],
    columns: list[_Column],
    span_count: int,
) -> bytes:
    """Return magic, version, length and the JSON that says what follows where."""
    offset, placed = 0, []
    for name, kind, content in columns:
        placed.append({"name": name, "type": kind, "offset": offset, "bytes": len(content)})
        offset += len(content) + -len(content) % _ALIGNMENT
    text = orjson.dumps(
        {
            "traceId": trace_id,
            "startUnixNano": str(origin),
            "spanCount": span_count,
            "services": services,
            "names": names,
            "columns": placed,
        }
    )
    text += b" " * (-(len(text) + 12) % _ALIGNMENT)
    return _MAGIC + struct.pack("<II", _VERSION, len(text)) + text
