"""Load whose every span is known by number, and the ledger of what was acknowledged."""

from __future__ import annotations

import gzip
import http.client
import itertools
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import grpc
import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from make import make_resource_spans, make_span

__all__ = ["INDEX_BITS", "Ledger", "NumberedLoad", "Sent"]

INDEX_BITS: Final = 20
"""A span id is the number of its request, shifted left by so many bits, plus its place in it."""
_TRACE_PREFIX: Final = b"\x7ecrash-1"
_EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_SEND_SECONDS_MAX: Final = 10.0


@dataclass(frozen=True, slots=True)
class Sent:
    """One request that left; it is sent once and never again, acknowledged or not."""

    number: int
    span_count: int
    how: str

    @property
    def trace_id(self) -> bytes:
        """Two requests share a trace, so that calls between services cross requests too."""
        return _TRACE_PREFIX + (self.number // 2).to_bytes(8, "big")

    def span_id(self, index: int) -> bytes:
        """Return the id of span `index`, counted from 1."""
        return (self.number << INDEX_BITS | index).to_bytes(8, "big")


@dataclass(slots=True)
class Ledger:
    """What was sent and what was acknowledged, over all rounds."""

    sent: dict[int, Sent] = field(default_factory=dict)
    acknowledged: set[int] = field(default_factory=set)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(2))

    def next_request(self, span_count: int, how: str) -> Sent:
        """Give out a number; the request counts as sent from now on."""
        one = Sent(next(self._numbers), span_count, how)
        self.sent[one.number] = one
        return one

    def acknowledge(self, one: Sent) -> None:
        """Remember that the sender was told OK."""
        self.acknowledged.add(one.number)


def _body_of(one: Sent) -> bytes:
    """Spans alternate between a front and a back service; each back span is called by a front one.

    The first back span of a request with an odd number is called by the request before it.
    """
    front, back = [], []
    for index in range(1, one.span_count + 1):
        is_front = index % 2 == 1
        parent = b"" if is_front else one.span_id(index - 1)
        if index == 2 and one.number % 2 == 1:
            parent = Sent(one.number - 1, 1, "").span_id(1)
        span = make_span(
            one.trace_id,
            one.span_id(index),
            parent,
            name=f"step-{index % 7}",
            kind=2 if is_front else 3,
            offset_nano=one.number * 1_000_003 + index,
            duration_nano=index * 1_000,
            attrs={"number": index, "request": f"request-{one.number}"},
            status=2 if index % 5 == 0 else 0,
        )
        (front if is_front else back).append(span)
    return ExportTraceServiceRequest(
        resource_spans=[
            make_resource_spans(front, service=f"front-{one.number % 3}"),
            make_resource_spans(back, service=f"back-{one.number % 3}"),
        ]
    ).SerializeToString()


def _json_body_of(one: Sent) -> bytes:
    spans = [
        {
            "traceId": one.trace_id.hex(),
            "spanId": one.span_id(index).hex(),
            "name": "written-as-json",
            "kind": 1,
            "startTimeUnixNano": str(1_795_365_820_000_000_000 + one.number * 1_000_003),
            "endTimeUnixNano": str(1_795_365_820_000_500_000 + one.number * 1_000_003),
        }
        for index in range(1, one.span_count + 1)
    ]
    service = {"key": "service.name", "value": {"stringValue": "json"}}
    return orjson.dumps(
        {
            "resourceSpans": [
                {"resource": {"attributes": [service]}, "scopeSpans": [{"spans": spans}]}
            ]
        }
    )


class NumberedLoad:
    """Sends from several connections at once until `stop`; a connection that breaks is done."""

    def __init__(
        self, ledger: Ledger, http_port: int, grpc_port: int, chance: random.Random
    ) -> None:
        """Start one thread per connection; sizes come from `chance`."""
        self._ledger = ledger
        self._http_port, self._grpc_port = http_port, grpc_port
        self._stop = threading.Event()
        kinds: list[tuple[Callable[[str, random.Random, int], None], str, int]] = [
            (self._over_grpc, "small gRPC", 12),
            (self._over_grpc, "small gRPC", 12),
            (self._over_grpc, "large gRPC", 2_000),
            (self._over_http, "small HTTP", 12),
            (self._over_http, "small HTTP", 12),
            (self._over_http, "large HTTP gzip", 2_000),
            (self._over_http, "small HTTP JSON", 12),
        ]
        self._threads = [
            threading.Thread(target=run, args=(how, random.Random(chance.random()), spans_max))
            for run, how, spans_max in kinds
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send nothing new; return when every connection has its answer or is broken."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _over_grpc(self, how: str, chance: random.Random, spans_max: int) -> None:
        with grpc.insecure_channel(f"127.0.0.1:{self._grpc_port}") as channel:
            export = channel.unary_unary(_EXPORT)
            while not self._stop.is_set():
                one = self._ledger.next_request(chance.randint(1, spans_max), how)
                try:
                    export(_body_of(one), timeout=_SEND_SECONDS_MAX)
                except grpc.RpcError:
                    return
                self._ledger.acknowledge(one)

    def _over_http(self, how: str, chance: random.Random, spans_max: int) -> None:
        headers = {"Content-Type": "application/x-protobuf"}
        if "JSON" in how:
            headers = {"Content-Type": "application/json"}
        if "gzip" in how:
            headers["Content-Encoding"] = "gzip"
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._http_port, timeout=_SEND_SECONDS_MAX
        )
        try:
            while not self._stop.is_set():
                one = self._ledger.next_request(chance.randint(1, spans_max), how)
                body = _json_body_of(one) if "JSON" in how else _body_of(one)
                if "gzip" in how:
                    body = gzip.compress(body, 1)
                connection.request("POST", "/v1/traces", body, headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    self._ledger.acknowledge(one)
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()
