"""An OTLP receiver that remembers: gRPC and HTTP, with refusals to order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

__all__ = ["OtlpSink", "ReceivedSpan", "Refusal"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """How the sink answers one request instead of taking it."""

    http_status: int = 503
    grpc_code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE
    retry_after_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """A span and the service that sent it."""

    service: str
    span: Span
    resource: dict[str, str]


@dataclass(slots=True)
class OtlpSink:
    """Takes everything, but for the refusals that are ordered, oldest first."""

    bodies: list[bytes] = field(default_factory=list)
    """Every request that was taken, as it came."""
    headers: list[dict[str, str]] = field(default_factory=list)
    """Headers or metadata of each of them, names in lower case."""
    refusals: deque[Refusal] = field(default_factory=deque)
    """What the next requests are answered."""
    answers: deque[bytes] = field(default_factory=deque)
    """Bodies of the next answers to requests that are taken; then they are empty."""
    http_url: str = ""
    grpc_url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, body: bytes, headers: dict[str, str]) -> Refusal | None:
        """Remember one request, or return the refusal that was ordered."""
        with self._lock:
            if self.refusals:
                return self.refusals.popleft()
            self.bodies.append(body)
            self.headers.append(headers)
        return None

    def answer(self) -> bytes:
        """Return the body of the answer to a request that was taken."""
        with self._lock:
            return self.answers.popleft() if self.answers else b""

    def requests(self) -> list[ExportTraceServiceRequest]:
        """Decode every request."""
        with self._lock:
            return [ExportTraceServiceRequest.FromString(body) for body in self.bodies]

    def spans(self) -> list[ReceivedSpan]:
        """Decode every span, in the order of arrival."""
        found: list[ReceivedSpan] = []
        for request in self.requests():
            for group in request.resource_spans:
                resource = {a.key: a.value.string_value for a in group.resource.attributes}
                for scope in group.scope_spans:
                    service = resource["service.name"]
                    found += [ReceivedSpan(service, span, resource) for span in scope.spans]
        return found

    @contextmanager
    def listening(self) -> Iterator[OtlpSink]:
        """Listen on free ports of the loopback."""
        web = ThreadingHTTPServer(("127.0.0.1", 0), _http_handler(self))
        web.daemon_threads = True
        thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        server = grpc.server(ThreadPoolExecutor(4))
        server.add_generic_rpc_handlers((_grpc_handler(self),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.http_url = f"http://127.0.0.1:{web.server_address[1]}"
        self.grpc_url = f"http://127.0.0.1:{port}"
        try:
            yield self
        finally:
            server.stop(0).wait()
            web.shutdown()
            web.server_close()
            thread.join()


def _http_handler(sink: OtlpSink) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            refusal = sink.take(body, headers | {":path": self.path})
            self.send_response(refusal.http_status if refusal else 200)
            if refusal and refusal.retry_after_seconds is not None:
                self.send_header("Retry-After", str(refusal.retry_after_seconds))
            answer = b"" if refusal else sink.answer()
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Say nothing."""

    return Handler


def _grpc_handler(sink: OtlpSink) -> grpc.GenericRpcHandler:
    def export(request: bytes, context: grpc.ServicerContext) -> bytes:
        metadata = {key: str(value) for key, value in context.invocation_metadata()}
        refusal = sink.take(request, metadata)
        if refusal is not None:
            if refusal.retry_after_seconds is not None:
                status = Status(code=refusal.grpc_code.value[0])
                retry = RetryInfo()
                retry.retry_delay.seconds = refusal.retry_after_seconds
                status.details.add().Pack(retry)
                context.set_trailing_metadata(
                    (("grpc-status-details-bin", status.SerializeToString()),)
                )
            context.set_code(refusal.grpc_code)
            context.set_details("refused by order")
            return b""
        return sink.answer()

    return grpc.method_handlers_generic_handler(
        "opentelemetry.proto.collector.trace.v1.TraceService",
        {"Export": grpc.unary_unary_rpc_method_handler(export, bytes, bytes)},
    )
