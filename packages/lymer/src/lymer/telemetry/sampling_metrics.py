"""Metrics of sampling. Those that Jaeger v2 has too have its names."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter

__all__ = ["SamplingMetrics"]


class SamplingMetrics:
    """In the registry of the process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Make every metric; they are zero until something happens."""
        self.http_requests: Final = Counter(
            "jaeger_remote_sampling_http_server_requests",
            "Strategies given over HTTP; the type is the shape of the answer.",
            ["type"],
            registry=registry,
        )
        self.http_errors: Final = Counter(
            "jaeger_remote_sampling_http_server_errors",
            "Requests over HTTP that got no strategy. 4xx: look at the client; 5xx: look at the "
            "log.",
            ["status", "source"],
            registry=registry,
        )
        self.rpcs: Final = Counter(
            "lymer_sampling_rpcs",
            "Requests for a strategy over gRPC, by result: ok or error.",
            ["result"],
            registry=registry,
        )
        self.reload_failures: Final = Counter(
            "lymer_sampling_reload_failures",
            "Times the strategies file was no good and the old strategies stayed; the log says "
            "why.",
            registry=registry,
        )
