"""How the engine reads OTLP: a wire-compatible schema, cheaper than the real one.

`map<string, bytes>` has the same wire form as `repeated KeyValue`, so an attribute's value arrives
as the bytes of its AnyValue exactly as sent: nothing is lost and nothing is decoded.
"""

from __future__ import annotations

from typing import Final

__all__ = ["FORMAT_SETTINGS", "STRUCTURE"]

_ATTRIBUTES: Final = (
    "attributes Map(LowCardinality(String), String), dropped_attributes_count UInt32"
)
_EVENT: Final = f"Tuple(time_unix_nano UInt64, name LowCardinality(String), {_ATTRIBUTES})"
_LINK: Final = (
    f"Tuple(trace_id String, span_id String, trace_state String, {_ATTRIBUTES}, flags UInt32)"
)
_SPAN: Final = (
    "Tuple(trace_id String, span_id String, trace_state String, parent_span_id String, "
    "name LowCardinality(String), kind Int32, start_time_unix_nano UInt64, "
    f"end_time_unix_nano UInt64, {_ATTRIBUTES}, "
    f"events Array({_EVENT}), dropped_events_count UInt32, "
    f"links Array({_LINK}), dropped_links_count UInt32, "
    "status Tuple(message String, code Int32), flags UInt32)"
)
_SCOPE_SPANS: Final = (
    f"Tuple(scope Tuple(name String, version String, {_ATTRIBUTES}), "
    f"spans Array({_SPAN}), schema_url String)"
)
STRUCTURE: Final = (
    f"resource_spans Array(Tuple(resource Tuple({_ATTRIBUTES}, entity_refs Array(String)), "
    f"scope_spans Array({_SCOPE_SPANS}), schema_url String))"
)
"""The columns of one `ExportTraceServiceRequest`."""

_SCHEMA: Final = """syntax = "proto3";
message Scope {
  string name = 1; string version = 2; map<string, bytes> attributes = 3;
  uint32 dropped_attributes_count = 4;
}
message Resource {
  map<string, bytes> attributes = 1; uint32 dropped_attributes_count = 2;
  repeated bytes entity_refs = 3;
}
message Event {
  fixed64 time_unix_nano = 1; string name = 2; map<string, bytes> attributes = 3;
  uint32 dropped_attributes_count = 4;
}
message Link {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; map<string, bytes> attributes = 4;
  uint32 dropped_attributes_count = 5; fixed32 flags = 6;
}
message Status { string message = 2; int32 code = 3; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4;
  string name = 5; int32 kind = 6; fixed64 start_time_unix_nano = 7;
  fixed64 end_time_unix_nano = 8; map<string, bytes> attributes = 9;
  uint32 dropped_attributes_count = 10; repeated Event events = 11;
  uint32 dropped_events_count = 12; repeated Link links = 13; uint32 dropped_links_count = 14;
  Status status = 15; fixed32 flags = 16;
}
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; string schema_url = 3; }
message ResourceSpans {
  Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3;
}
message Request { repeated ResourceSpans resource_spans = 1; }
"""

FORMAT_SETTINGS: Final[dict[str, str | int]] = {
    "format_schema_source": "string",
    "format_schema_message_name": "Request",
    "format_schema": _SCHEMA.replace("\n", " "),
}
"""Settings that make the engine read and write `Request` messages."""
