"""Metrics of sampling. Those that Jaeger v2 has too have its names."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

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
        self.operations: Final = Counter(
            "jaeger_remote_sampling_sampling_operations",
            "Operations with traces, summed over the intervals of adaptive sampling.",
            registry=registry,
        )
        self.services: Final = Counter(
            "jaeger_remote_sampling_sampling_services",
            "Services with traces, summed likewise.",
            registry=registry,
        )
        self.operations_calculated: Final = Gauge(
            "jaeger_remote_sampling_adaptive_sampling_processor_operations_calculated",
            "Operations that have a probability of their own now.",
            registry=registry,
        )
        self.calculation_seconds: Final = Histogram(
            "jaeger_remote_sampling_adaptive_sampling_processor_calculate_probabilities",
            "Seconds that computing the probabilities took.",
            registry=registry,
            buckets=(0.001, 0.01, 0.1, 1, 10),
        )
        self.calculation_failures: Final = Counter(
            "lymer_sampling_calculation_failures",
            "Intervals for which the store did not answer; probabilities stay. Look at the log.",
            registry=registry,
        )
