"""OTLP `TracesData` as JSON: hex ids, 64-bit integers as strings, enums as numbers.

Source: opentelemetry-proto `docs/specification.md`, "JSON Protobuf Encoding".
"""

from __future__ import annotations

import base64
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

__all__ = ["traces_to_json_object"]

_ID_FIELDS: Final = ("traceId", "spanId", "parentSpanId")


def traces_to_json_object(traces: TracesData) -> dict[str, Any]:
    """Return the traces as plain values for a JSON encoder; empty fields are left out."""
    document = MessageToDict(traces, use_integers_for_enums=True)
    for resource_spans in document.get("resourceSpans", ()):
        for scope_spans in resource_spans.get("scopeSpans", ()):
            for span in scope_spans.get("spans", ()):
                _write_ids_in_hex(span)
                for link in span.get("links", ()):
                    _write_ids_in_hex(link)
    return document


def _write_ids_in_hex(holder: dict[str, Any]) -> None:
    """Replace protobuf's base64 by hex in the ids of a span or link."""
    for name in _ID_FIELDS:
        if name in holder:
            holder[name] = base64.b64decode(holder[name]).hex()
