"""A small shop on a quiet afternoon: six traces every reading test knows by heart.

::

    trace 1  shop: GET /cart (server) ── cart: get (server) ── cart: SELECT (client), slow
    trace 2  shop: GET /pay  (server, error) ── pay: charge (client, error, exception event)
    trace 3  cart: sweep (internal), tags of every level
    trace 4  shop: GET /cart (server), same name again, one hour later
    trace 5  queue: publish (producer), queue: consume (consumer) whose parent was not sent
    trace 6  shop: GET /cart (server, status OK, error=false as attribute)
"""

from __future__ import annotations

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from make import make_event, make_link, make_request, make_resource_spans, make_span

__all__ = ["HOUR", "MS", "corpus_requests"]

MS = 1_000_000
HOUR = 3_600_000 * MS


def corpus_requests() -> list[ExportTraceServiceRequest]:
    """Return all spans of the corpus."""
    return [_trace_1(), _trace_2(), _trace_3(), _trace_4(), _trace_5(), _trace_6()]


def _trace_1() -> ExportTraceServiceRequest:
    get_cart = make_span(
        1,
        11,
        name="GET /cart",
        kind=2,
        duration_nano=100 * MS,
        attrs={"http.status_code": 200, "user": "ann"},
    )
    get = make_span(1, 12, 11, name="get", kind=2, offset_nano=10 * MS, duration_nano=80 * MS)
    select = make_span(
        1,
        13,
        12,
        name="SELECT",
        kind=3,
        offset_nano=20 * MS,
        duration_nano=60 * MS,
        attrs={"db.rows": 500, "db.cost": 500.0, "db.ok": True, "note": "500"},
    )
    request = make_request(get_cart, service="shop", resource={"zone": "a"})
    request.resource_spans.append(
        make_resource_spans([get, select], service="cart", resource={"zone": "b"})
    )
    return request


def _trace_2() -> ExportTraceServiceRequest:
    pay = make_span(
        2,
        21,
        name="GET /pay",
        kind=2,
        offset_nano=1_000 * MS,
        duration_nano=50 * MS,
        status=2,
        message="card refused",
        attrs={"http.status_code": 500, "user": "bob"},
    )
    charge = make_span(
        2,
        22,
        21,
        name="charge",
        kind=3,
        offset_nano=1_010 * MS,
        duration_nano=30 * MS,
        status=2,
        events=[
            make_event("exception", offset_nano=1_015 * MS, attrs={"exception.type": "CardError"})
        ],
    )
    request = make_request(pay, service="shop", resource={"zone": "a"})
    request.resource_spans.append(make_resource_spans([charge], service="pay"))
    return request


def _trace_3() -> ExportTraceServiceRequest:
    sweep = make_span(
        3,
        31,
        name="sweep",
        offset_nano=2_000 * MS,
        duration_nano=5 * MS,
        attrs={"level": "span", "ratio": 0.5, "list": ["a", 1], "raw": b"\x01\x02"},
        events=[make_event("tick", offset_nano=2_001 * MS, attrs={"event.level": "event"})],
        links=[make_link(1, 11, attrs={"link.level": "link"})],
    )
    return make_request(
        sweep,
        service="cart",
        resource={"resource.level": "resource", "zone": "b", "level": "resource"},
        scope="sweeper",
        scope_version="1.2",
        scope_attrs={"scope.level": "scope"},
    )


def _trace_4() -> ExportTraceServiceRequest:
    again = make_span(
        4,
        41,
        name="GET /cart",
        kind=2,
        offset_nano=HOUR,
        duration_nano=10 * MS,
        attrs={"http.status_code": 200, "user": "bob"},
    )
    return make_request(again, service="shop", resource={"zone": "a"})


def _trace_5() -> ExportTraceServiceRequest:
    publish = make_span(5, 51, name="publish", kind=4, offset_nano=3_000 * MS)
    consume = make_span(5, 52, 59, name="consume", kind=5, offset_nano=3_100 * MS, status=2)
    return make_request(publish, consume, service="queue")


def _trace_6() -> ExportTraceServiceRequest:
    fine = make_span(
        6,
        61,
        name="GET /cart",
        kind=2,
        offset_nano=4_000 * MS,
        duration_nano=1 * MS,
        status=1,
        attrs={"error": False},
    )
    return make_request(fine, service="shop")
