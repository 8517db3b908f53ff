"""Bad requests get the documented answer, and neither the server nor a neighbour suffers.

Answers: docs/compatibility.md, after the OTLP specification and the OpenTelemetry Collector.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import random
import zlib
from collections.abc import Callable, Iterator

import grpc
import pytest
import zstandard
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from e2e.jaeger_json import span_named, tags_of
from e2e.lymer_process import Lymer
from e2e.otlp import PROTOBUF, new_trace_id, request_of, span_of

GRPC_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
BODY_BYTES_MAX = 20 * 2**20
MESSAGE_BYTES_MAX = 4 * 2**20


@pytest.fixture(scope="module")
def neighbours(shared_lymer: Lymer) -> Iterator[list[bytes]]:
    """Trace ids of good spans; at the end all of them must be found."""
    trace_ids: list[bytes] = []
    yield trace_ids
    wanted = {trace_id.hex() for trace_id in trace_ids}
    shared_lymer.wait_for_trace(trace_ids[-1].hex(), 1)
    response = shared_lymer.http.get(
        f"{shared_lymer.query_url}/api/traces", params={"traceID": sorted(wanted)}
    )
    assert {trace["traceID"] for trace in response.json()["data"]} == wanted


@pytest.fixture(autouse=True)
def neighbour(shared_lymer: Lymer, neighbours: list[bytes]) -> Iterator[None]:
    """Send a good span before and after each bad request."""
    before, after = new_trace_id(), new_trace_id()
    _post_good(shared_lymer, before)
    yield
    assert shared_lymer.is_running()
    _post_good(shared_lymer, after)
    neighbours += [before, after]


def _post_good(lymer: Lymer, trace_id: bytes) -> None:
    body = request_of(span_of(trace_id)).SerializeToString()
    status, _ = _post(lymer, body)
    assert status == 200


def _post(
    lymer: Lymer, body: bytes, content_type: str = PROTOBUF, **headers: str
) -> tuple[int, str]:
    response = lymer.http.post(
        lymer.otlp_http_url,
        content=body,
        headers={"Content-Type": content_type, **headers},
    )
    return response.status_code, response.text


GOOD = request_of(span_of(b"\x01" * 16)).SerializeToString()

BAD_BODIES = [
    pytest.param(GOOD[:-3], PROTOBUF, {}, 400, id="truncated protobuf"),
    pytest.param(random.Random(7).randbytes(4096), PROTOBUF, {}, 400, id="random bytes"),
    pytest.param(b"\x0a\xff\xff\xff\xff\x0f", PROTOBUF, {}, 400, id="a length of 4 GiB"),
    pytest.param(b"{", "application/json", {}, 400, id="truncated JSON"),
    pytest.param(b"[]", "application/json", {}, 400, id="JSON that is no object"),
    pytest.param(b"[" * 100_000, "application/json", {}, 400, id="deeply nested JSON"),
    pytest.param(b"\xff\xfe{}", "application/json", {}, 400, id="JSON that is not UTF-8"),
    pytest.param(
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}',
        "application/json",
        {},
        400,
        id="a trace id that is not hexadecimal",
    ),
    pytest.param(GOOD, PROTOBUF, {"Content-Encoding": "gzip"}, 400, id="gzip that is none"),
    pytest.param(
        gzip.compress(GOOD)[:-9], PROTOBUF, {"Content-Encoding": "gzip"}, 400, id="truncated gzip"
    ),
    pytest.param(GOOD, "text/plain", {}, 415, id="a content type nobody speaks"),
]


@pytest.mark.parametrize(("body", "content_type", "headers", "expected"), BAD_BODIES)
def test_a_bad_body_is_refused(
    shared_lymer: Lymer, body: bytes, content_type: str, headers: dict[str, str], expected: int
) -> None:
    """The answer is a 4xx the sender does not repeat."""
    status, text = _post(shared_lymer, body, content_type, **headers)

    assert status == expected, text


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        pytest.param("identity", bytes, id="identity"),
        pytest.param("gzip", gzip.compress, id="gzip"),
        pytest.param("deflate", zlib.compress, id="deflate"),
        pytest.param("zstd", zstandard.compress, id="zstd"),
    ],
)
def test_a_coded_body_is_stored(
    shared_lymer: Lymer, coding: str, encode: Callable[[bytes], bytes]
) -> None:
    """Every content coding we claim to understand is understood."""
    trace_id = new_trace_id()
    body = encode(request_of(span_of(trace_id)).SerializeToString())

    status, text = _post(shared_lymer, body, **{"Content-Encoding": coding})

    assert status == 200, text
    shared_lymer.wait_for_trace(trace_id.hex(), 1)


def test_a_body_over_the_limit_is_refused(shared_lymer: Lymer) -> None:
    """21 MiB are too much, whatever they hold."""
    status, text = _post(shared_lymer, bytes(BODY_BYTES_MAX + 2**20))

    assert status == 400, text


def test_a_decompression_bomb_is_refused_without_unpacking_it(shared_lymer: Lymer) -> None:
    """400 MiB of zeros in 400 kB are refused, and memory does not grow by them."""
    before = _resident_bytes(shared_lymer.pid)

    status, text = _post(
        shared_lymer, gzip.compress(bytes(400 * 2**20), 1), **{"Content-Encoding": "gzip"}
    )

    assert status == 400, text
    assert _resident_bytes(shared_lymer.pid) - before < 200 * 2**20


def _resident_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm") as statm:  # noqa: PTH123 - a pseudo file
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        return 0  # not Linux: the answer above is all that is checked


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_is_not_allowed(shared_lymer: Lymer, method: str) -> None:
    """405, and the text the Collector gives."""
    response = shared_lymer.http.request(method, shared_lymer.otlp_http_url)

    assert response.status_code == 405
    assert response.text.strip() == "405 method not allowed, supported: [POST]"


def test_an_empty_request_is_accepted(shared_lymer: Lymer) -> None:
    """No spans are no error. Source: OTLP 1.x, "Full Success"."""
    assert _post(shared_lymer, b"")[0] == 200
    status, text = _post(shared_lymer, b"{}", "application/json")
    assert status == 200
    assert json.loads(text) == {"partialSuccess": {}}


def _export(lymer: Lymer, message: bytes) -> grpc.StatusCode:
    with grpc.insecure_channel(lymer.otlp_grpc_target) as channel:
        call = channel.unary_unary(GRPC_METHOD)
        try:
            call(message, timeout=20)
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(GOOD[:-3], grpc.StatusCode.INVALID_ARGUMENT, id="truncated"),
        pytest.param(
            random.Random(8).randbytes(4096), grpc.StatusCode.INVALID_ARGUMENT, id="random"
        ),
        pytest.param(
            bytes(MESSAGE_BYTES_MAX + 1024), grpc.StatusCode.RESOURCE_EXHAUSTED, id="over 4 MiB"
        ),
        pytest.param(b"", grpc.StatusCode.OK, id="empty"),
    ],
)
def test_a_bad_message_gets_its_code(
    shared_lymer: Lymer, message: bytes, expected: grpc.StatusCode
) -> None:
    """GRPC senders learn whether to repeat from the code."""
    assert _export(shared_lymer, message) == expected


def test_invalid_utf8_is_stored_and_its_neighbour_is_whole(shared_lymer: Lymer) -> None:
    """A name that is not UTF-8 passes the door, as with Go receivers, and harms nobody."""
    trace_id = new_trace_id()
    request = request_of(span_of(trace_id, "neighbour"), span_of(trace_id, "broken-name"))
    body = request.SerializeToString().replace(b"broken-name", b"broken\xffname")

    assert _post(shared_lymer, body)[0] == 200
    names = [
        span["operationName"] for span in shared_lymer.wait_for_trace(trace_id.hex(), 2)["spans"]
    ]
    assert "neighbour" in names


@pytest.mark.parametrize(
    ("start", "end"),
    [
        pytest.param(0, 0, id="1970"),
        pytest.param(2**63 - 1, 2**63 - 1, id="the year 2262"),
        pytest.param(2**64 - 1, 0, id="the largest number, ending before it starts"),
    ],
)
def test_an_absurd_time_is_stored(shared_lymer: Lymer, start: int, end: int) -> None:
    """A sender without a clock still finds its span by trace id."""
    trace_id = new_trace_id()
    span = span_of(trace_id)
    span.start_time_unix_nano, span.end_time_unix_nano = start, end

    assert _post(shared_lymer, request_of(span).SerializeToString())[0] == 200
    assert len(shared_lymer.wait_for_trace(trace_id.hex(), 1)["spans"]) == 1


def test_a_span_without_ids_harms_no_neighbour(shared_lymer: Lymer) -> None:
    """Zero and short ids are taken or left, but the rest of the request is stored."""
    trace_id = new_trace_id()
    no_ids = span_of(b"", "no ids")
    no_ids.span_id = b""
    short = span_of(b"\x01\x02", "short ids")
    short.span_id = b"\x01"
    body = request_of(no_ids, short, span_of(trace_id, "whole")).SerializeToString()

    status, text = _post(shared_lymer, body)

    assert status in (200, 400), text
    if status == 200:
        shared_lymer.wait_for_trace(trace_id.hex(), 1)


def _list(*values: AnyValue) -> AnyValue:
    value = AnyValue()
    value.array_value.values.extend(values)
    return value


def _map(**values: AnyValue) -> AnyValue:
    value = AnyValue()
    for key, entry in values.items():
        value.kvlist_value.values.add(key=key).value.CopyFrom(entry)
    return value


def test_what_no_sdk_sends_keeps_its_type(shared_lymer: Lymer) -> None:
    """Bytes, nested lists and maps, duplicate keys and large numbers read as in Jaeger."""
    trace_id = new_trace_id()
    span = span_of(
        trace_id,
        "odd",
        data=AnyValue(bytes_value=bytes(range(256))),
        nested=_list(AnyValue(int_value=1), _map(a=AnyValue(bool_value=True))),
        map=_map(b=AnyValue(string_value="x"), a=_list()),
        large=AnyValue(int_value=2**53 + 1),
    )
    span.attributes.add(key="twice").value.string_value = "first"
    span.attributes.add(key="twice").value.int_value = 2

    assert _post(shared_lymer, request_of(span).SerializeToString())[0] == 200

    found = tags_of(span_named(shared_lymer.wait_for_trace(trace_id.hex(), 1, raw=True), "odd"))
    assert [tag for tag in found if tag[0] != "span.kind"] == [
        ("data", "binary", _base64(bytes(range(256)))),
        ("nested", "string", '[1,{"a":true}]'),
        ("map", "string", '{"a":[],"b":"x"}'),
        ("large", "int64", "9007199254740993"),
        ("twice", "string", "first"),
        ("twice", "int64", 2),
    ]


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
