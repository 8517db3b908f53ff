"""Every default port, and who speaks there. Source: Jaeger 1.76 and 2.20, `ports/ports.go`."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ADMIN_HTTP",
    "AGENT_ADMIN_HTTP",
    "HEALTH_HTTP",
    "JAEGER_GRPC",
    "JAEGER_HTTP",
    "JAEGER_UDP_BINARY",
    "JAEGER_UDP_COMPACT",
    "OTLP_GRPC",
    "OTLP_HTTP",
    "QUERY_ADMIN_HTTP",
    "QUERY_GRPC",
    "QUERY_HTTP",
    "SAMPLING_GRPC",
    "SAMPLING_HTTP",
    "STORAGE_GRPC",
    "TEMPO_HTTP",
    "ZIPKIN_HTTP",
    "ZIPKIN_UDP_COMPACT",
]

OTLP_GRPC: Final = 4317
"""OTLP over gRPC: every OpenTelemetry SDK, the Collector, Envoy."""

OTLP_HTTP: Final = 4318
"""OTLP over HTTP/1.1, protobuf and JSON: `POST /v1/traces`."""

JAEGER_GRPC: Final = 14250
"""Jaeger's api_v2 over gRPC: `CollectorService/PostSpans`, what its agents speak."""

JAEGER_HTTP: Final = 14268
"""Jaeger's thrift over HTTP: `POST /api/traces`."""

JAEGER_UDP_COMPACT: Final = 6831
"""Jaeger's thrift over UDP, compact protocol: what most of its clients speak."""

JAEGER_UDP_BINARY: Final = 6832
"""Jaeger's thrift over UDP, binary protocol: its Node.js client."""

ZIPKIN_HTTP: Final = 9411
"""Zipkin's v1 and v2, every encoding: `POST /api/v2/spans`."""

QUERY_GRPC: Final = 16685
"""Jaeger's api_v2 and api_v3 `QueryService` over gRPC."""

QUERY_HTTP: Final = 16686
"""The UI and the HTTP JSON API."""

TEMPO_HTTP: Final = 3200
"""Tempo's HTTP API, for Grafana's Tempo data source."""

SAMPLING_HTTP: Final = 5778
"""Sampling strategies over HTTP, for the clients of this machine: `GET /sampling?service=`."""

SAMPLING_GRPC: Final = 5779
"""Sampling strategies over gRPC: `jaeger.api_v2.SamplingManager`."""

HEALTH_HTTP: Final = 13133
"""`GET /status`, as Jaeger v2's healthcheckv2 extension answers it."""

ADMIN_HTTP: Final = 14269
"""`GET /` and `GET /metrics`, as the admin port of Jaeger v1's collector and all-in-one."""

INGESTER_ADMIN_HTTP: Final = 14270
"""The same of the ingester."""

AGENT_ADMIN_HTTP: Final = 14271
"""The same of the agent."""

QUERY_ADMIN_HTTP: Final = 16687
"""The same of the query role."""

STORAGE_GRPC: Final = 17271
"""The storage API, which the query role asks: where Jaeger's remote storage listens."""

ZIPKIN_UDP_COMPACT: Final = 5775
"""Zipkin's thrift over UDP, compact protocol: the oldest of Jaeger's clients, agent only."""
