"""Whatever the JSON shows as a tag, a process tag or a log field is found by searching for it."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator
from typing import Any, Final

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from contract.storage.conftest import Store, Write
from lymer.model.columns import SpanColumns
from lymer.model.question import TraceQuestion
from make import Plain, make_event, make_link, make_request, make_span, trace_hex

KEYS: Final = [
    "k", "", "event", "error", "span.kind", "span.status", "scope.name", "scope.version",
    "resource.k", "otel.status_code", "otel.status_description", "otel.scope.name",
    "otel.scope.version", "w3c.tracestate", "service.name", "ip", "peer.ipv4",
    "telemetry.sdk.name", "주문", "a'b\\c", "\t\n",
]  # fmt: skip
"""Some are fields of Jaeger's JSON, some are Jaeger's words for fields; any may be an attribute."""
VALUES: Final[list[Plain]] = [
    "", "a", "true", "ERROR", "OK", "server", "500", "q'\"\\\t", "주문", "1.2.3.4",
    True, False, 0, -1, 500, 2**53 + 1, -(2**63), 16_909_060, -1_062_731_775, 2**40 + 7,
    0.5, 500.0, 1e16, -1e300, 2.5e-9, 16_909_060.0, -0.0, float("nan"), float("inf"),
    b"", b"\x00\xff", [], [1, "a", [None]], {"b": 1, "a": [True]}, None,
    AnyValue(double_value=struct.unpack("<d", b"\x01\0\0\0\0\0\xf8\xff")[0]),
]  # fmt: skip

ADDRESS_KEYS: Final = {"ip", "peer.ipv4"}
ADDRESSES: Final[list[Plain]] = ["1.2.3.4", "::1", 16_909_060, -1_062_731_775, 16_909_060.0, 0, b""]
"""A number that is none of 32 bits is shown as an address, too; it is not found by that."""


def _pairs(rng: random.Random) -> list[tuple[str, Plain]]:
    keys = [rng.choice(KEYS) for _ in range(rng.randrange(6))]
    return [(key, rng.choice(ADDRESSES if key in ADDRESS_KEYS else VALUES)) for key in keys]


def _request(rng: random.Random, trace: int) -> ExportTraceServiceRequest:
    span = make_span(
        trace,
        1,
        kind=rng.randrange(8),
        status=rng.randrange(4),
        message=rng.choice(["", "boom", "it's"]),
        trace_state=rng.choice(["", "a=1,b=2"]),
        attrs=_pairs(rng),
        events=[make_event(rng.choice(["", "tick"]), attrs=_pairs(rng))],
        links=[make_link(1, 2, attrs=_pairs(rng))],
    )
    return make_request(
        span,
        service=rng.choice(["shop", "", None]),
        resource=[pair for pair in _pairs(rng) if pair[0] != "service.name"],
        scope=rng.choice(["", "lib"]),
        scope_version=rng.choice(["", "1.2"]),
        scope_attrs=_pairs(rng),
    )


def _shown(columns: SpanColumns) -> Iterator[tuple[str, str]]:
    """Yield key and value, as texts, of each KeyValue of a span."""
    process = json.loads(columns.process_json[columns.process[0]], **_AS_TEXT)
    lists = [json.loads(columns.tags_json[0], **_AS_TEXT), process["tags"]]
    lists += [json.loads(fields, **_AS_TEXT) for fields in columns.event_fields_json[0]]
    for pair in (pair for pairs in lists for pair in pairs):
        value = pair["value"]
        yield pair["key"], str(value).lower() if isinstance(value, bool) else value


_AS_TEXT: Final[dict[str, Any]] = {"parse_float": str, "parse_int": str}


@pytest.mark.parametrize("raw", [True, False])
def test_what_is_shown_is_found(store_name: str, store: Store, write: Write, *, raw: bool) -> None:
    """Each pair of a span, by itself; many where that costs least, for all ask alike."""
    rng = random.Random(f"{store_name} {raw}")
    traces = range(1, 25 if store_name in {"memory", "clickhouse"} else 7)
    write(*(_request(rng, trace) for trace in traces))
    missed = []
    for trace in traces:
        columns = store.get_traces([trace_hex(trace)], raw=raw, skeleton=False)
        for key, value in dict.fromkeys(_shown(columns)):
            question = TraceQuestion(0, 2**63, tags=((key, value),), limit=1000)
            if trace_hex(trace) not in {one.trace_id for one in store.find_traces(question)}:
                missed.append((key, value))

    assert missed == []


def test_what_is_not_shown_is_not_found(store: Store, write: Write) -> None:
    """An empty field is no tag."""
    write(make_request(make_span(1, 1, kind=0)))

    for key, value in (
        ("otel.status_code", "UNSET"),
        ("otel.status_code", ""),
        ("otel.status_description", ""),
        ("w3c.tracestate", ""),
        ("otel.scope.name", ""),
        ("otel.scope.version", ""),
        ("span.kind", ""),
    ):
        assert store.find_traces(TraceQuestion(0, 2**63, tags=((key, value),))) == [], key
