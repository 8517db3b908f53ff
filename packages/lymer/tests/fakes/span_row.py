"""A stored span as a row, as plain as can be."""

from __future__ import annotations

from typing import Any, Final

from make import trace_hex

__all__ = ["SPAN_ROW"]

SPAN_ROW: Final[dict[str, Any]] = {
    "service": b"shop",
    "resource": 1,
    "scope": 2,
    "trace_id": bytes.fromhex(trace_hex(1)),
    "parent_span_id": bytes(8),
    "name": b"GET",
    "kind": 2,
    "status": 0,
    "status_message": b"",
    "start": 5,
    "duration": 7,
    "trace_state": b"",
    "warnings": (),
    "links": (),
    "events": (),
    "flags": 1,
    "dropped": (0, 0, 0),
    "attrs": (),
}
"""All of `COLUMNS` but the span id, which each row of a test has of its own."""
