"""The OpenTelemetry SDK of one demo service, set up by hand as its manual shows it."""

from __future__ import annotations

import http.client
import logging
import os
import platform
import uuid
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from lymer import __version__

__all__ = ["start_tracing"]

_SCHEDULE_MILLISECONDS: Final = 500
"""Wait before a batch is sent. The SDK's default of 5 s is long for somebody who watches."""

_TIMEOUT_SECONDS: Final = 3
"""Longest wait for one export, so that a stop does not hang when Lymer is gone."""


def start_tracing(service: str, endpoint: str, protocol: str) -> TracerProvider:
    """Return the tracer provider of `service`, exporting to `endpoint`."""
    # A Lymer that is restarted is no reason to fill the terminal; the spans of that time are lost.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    resource = Resource.create(
        {
            "service.name": service,
            "service.namespace": "shop",
            "service.version": __version__,
            "service.instance.id": str(uuid.uuid4()),
            "host.name": platform.node(),
            "process.pid": os.getpid(),
            "deployment.environment.name": "demo",
        }
    )
    provider = TracerProvider(resource=resource)
    exporter = _open_exporter(endpoint, protocol)
    provider.add_span_processor(
        BatchSpanProcessor(exporter, schedule_delay_millis=_SCHEDULE_MILLISECONDS)
    )
    return provider


def _open_exporter(endpoint: str, protocol: str) -> SpanExporter:
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(endpoint=endpoint, timeout=_TIMEOUT_SECONDS)
    return _HttpExporter(endpoint)


class _HttpExporter(SpanExporter):
    """OTLP over HTTP with the standard library; spares a dependency on an HTTP client."""

    def __init__(self, endpoint: str) -> None:
        url = urlsplit(endpoint)
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(url.hostname or "", url.port or 4318, timeout=_TIMEOUT_SECONDS)
        self._path = url.path.rstrip("/") or "/v1/traces"

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send one batch; it is lost when that fails."""
        body = encode_spans(spans).SerializeToString()
        try:
            headers = {"Content-Type": "application/x-protobuf"}
            self._connection.request("POST", self._path, body, headers)
            response = self._connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS if response.status == 200 else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Close the connection."""
        self._connection.close()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing is held back here."""
        return True
