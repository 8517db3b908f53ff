"""Whatever the JSON of a trace shows as a tag, process tag or log field finds the trace again."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from contract.storage.test_oracle import TRACES, random_request
from fakes.asgi_client import Client
from fakes.recorded_wire import recorded
from lymer.api.app import create_app
from lymer.query.service import Queries
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.wire.jaeger_thrift import otlp_from_message, request_from_batch
from lymer.wire.thrift import Protocol
from lymer.wire.zipkin_proto import request_from_zipkin_proto
from lymer.wire.zipkin_thrift import request_from_zipkin_thrift
from lymer.wire.zipkin_v1 import request_from_zipkin_v1_json
from lymer.wire.zipkin_v2 import request_from_zipkin_v2_json
from make import START, make_event, make_request, make_span, trace_hex, write_segment_file

SEARCHES_MAX = 60

RECORDINGS: list[tuple[str, str, Callable[[bytes], bytes]]] = [
    ("envoy-otlp-grpc", "001-grpc4317.bin", bytes),
    ("envoy-zipkin-proto", "001-http9411.body", lambda b: request_from_zipkin_proto(b).body),
    ("js-zipkin-v2", "001-http9411.body", lambda b: request_from_zipkin_v2_json(b).body),
    ("js-jaeger-client-http", "001-http14268.body", lambda b: request_from_batch(b).body),
    ("js-jaeger-client-udp", "001-udp6832.bin", lambda b: otlp_from_message(b, Protocol.BINARY)),
    ("py-jaeger-client-const", "001-udp6831.bin", lambda b: otlp_from_message(b, Protocol.COMPACT)),
    ("py-zipkin-v1json", "001-http9411.body", lambda b: request_from_zipkin_v1_json(b, START).body),
    (
        "py-zipkin-v1thrift",
        "001-http9411.body",
        lambda b: request_from_zipkin_thrift(b, START).body,
    ),
]


@pytest.fixture(scope="module")
def found_by(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[ExportTraceServiceRequest], Client]]:
    """Yield a function that stores a request and returns a client."""
    folder = tmp_path_factory.mktemp("shown")
    engine = ChdbEngine(folder / "engine", memory_bytes_max=900 * 2**20)
    store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)
    numbers = iter(range(1_795_365_821_000_000, 1_795_365_821_001_000))
    with ThreadPoolExecutor(2) as threads:
        client = Client(create_app(Queries(store), executor=threads))

        def stored(request: ExportTraceServiceRequest) -> Client:
            store.write_segment(write_segment_file(folder, request, segment_id=next(numbers)))
            return client

        yield stored
    store.close()


def assert_shown_is_found(client: Client, trace_ids: Sequence[str]) -> int:
    """Search for what is shown of the traces; return how much that was."""
    shown: dict[tuple[str, str, str], set[str]] = {}
    for trace_id in trace_ids:
        answer = client.get(f"/api/traces/{trace_id}")
        for trace in answer.json()["data"] or []:
            for span in trace["spans"]:
                process = trace["processes"][span["processID"]]
                fields = [field for log in span["logs"] for field in log["fields"]]
                for tag in [*span["tags"], *process["tags"], *fields]:
                    key = (process["serviceName"], tag["key"], _text(tag))
                    shown.setdefault(key, set()).add(trace["traceID"])
    chosen = random.Random(1).sample(sorted(shown), min(len(shown), SEARCHES_MAX))
    for service, key, value in chosen:
        tags = quote(json.dumps({key: value}))
        answer = client.get(
            f"/api/traces?service={quote(service)}&start=0&end={2**62 // 1000}"
            f"&limit=10000&tags={tags}"
        )
        assert answer.status_code == 200, answer.text
        ids = {found["traceID"] for found in answer.json()["data"]}
        assert shown[service, key, value] <= ids, (service, key, value)
    return len(shown)


def _text(tag: dict[str, Any]) -> str:
    value = tag["value"]
    if isinstance(value, str):
        return value
    return json.dumps(value)


@pytest.mark.parametrize("seed", [11, 12])
def test_generated_spans(
    found_by: Callable[[ExportTraceServiceRequest], Client], seed: int
) -> None:
    """Random attributes at every level, texts of every kind."""
    rng = random.Random(seed)
    request = ExportTraceServiceRequest()
    for _ in range(6):
        request.MergeFrom(random_request(rng))
    client = found_by(request)
    assert assert_shown_is_found(client, [trace_hex(number) for number in range(1, TRACES)]) > 100


def test_what_is_a_field_and_no_attribute(
    found_by: Callable[[ExportTraceServiceRequest], Client],
) -> None:
    """Status, its message, scope, trace state, kind, event names, numeric addresses."""
    spans = [
        make_span(
            9_001,
            number,
            kind=number,
            status=number % 3,
            message=f'failed "{number}"',
            trace_state=f"v=1,ot=th:{number}",
            events=[make_event("exception"), make_event("", attrs={"event": "own"})],
            attrs={"peer.ipv4": 2130706433, "ip": -1062731519, "telemetry.sdk.name": "py"},
        )
        for number in range(1, 6)
    ]
    request = make_request(*spans, scope="lib.scope", scope_version="1.2.3")
    assert assert_shown_is_found(found_by(request), [trace_hex(9_001)]) > 20


@pytest.mark.parametrize(("client", "name", "to_otlp"), RECORDINGS)
def test_what_real_clients_sent(
    found_by: Callable[[ExportTraceServiceRequest], Client],
    client: str,
    name: str,
    to_otlp: Callable[[bytes], bytes],
) -> None:
    """Every recording."""
    request = ExportTraceServiceRequest.FromString(to_otlp(recorded(client, name)))
    ids = {
        span.trace_id.rjust(16, b"\0").hex()
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }
    api = found_by(request)
    assert assert_shown_is_found(api, sorted(ids)) > 3
